import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { BrowserContext } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { needs } from '../support/needs.ts'
import { writeDocument } from '../support/package/documents.ts'
import { installPackage, PACKAGE } from '../support/package/package.ts'
import { launchBrowser, type TestBrowser } from '../support/pages/browser.ts'
import { type Program, startProgram } from '../support/program.ts'
import { ROOT } from '../support/run.ts'
import { openSite, pageWith, type Site } from '../support/sites/http-site.ts'
import { temporaryFolders } from '../support/stores/open-store.ts'

const chromium = needs('chromium')
const folders = temporaryFolders()

let folder: string
let scriptTag: string
let browser: TestBrowser
let profile: BrowserContext
let site: Site
const programs: Program[] = []

/** Serves what `server.ts` answers, with `page.ts` in each of its pages. */
const SERVER = `
  import { createServer } from 'node:http'
  import { readFileSync } from 'node:fs'
  import { toNodeHandler } from 'breadbin/server'
  import { answer } from './server.ts'

  const script = { headers: { 'content-type': 'text/javascript' } }
  const server = createServer(toNodeHandler(async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/page.js') return new Response(readFileSync('page.js'), script)
    const response = await answer(request)
    if (pathname !== '/') return response
    return new Response(await response.text() + '<script type="module" src="/page.js"></script>', response)
  }))
  server.listen(0, '127.0.0.1', () => console.log(server.address().port))`

/** `app.ts` listens on a port that may be taken: this gives it a free one, and tells which. */
const FREE_PORT = `
  import { Server } from 'node:net'
  const { listen } = Server.prototype
  Server.prototype.listen = function (port, host) {
    return listen.call(this, 0, host, () => console.log(this.address().port))
  }`

/** Shows a bin by the hook in `use-bin.ts`, and changes it. */
const COMPONENT = `
  import { createElement as create } from 'react'
  import { createRoot } from 'react-dom/client'
  import { openBins } from 'breadbin/client'
  import { bins } from './bins.ts'
  import { isEmpty } from './cart.ts'
  import { useBin } from './use-bin.ts'

  const state = await openBins(bins)
  function Theme() {
    const onClick = () => state.set('theme', 'dark')
    return create('button', { onClick }, useBin(state, 'theme'), isEmpty(state) ? ', no bread' : ', bread')
  }
  createRoot(document.body).render(create(Theme))`

if (chromium) {
  beforeAll(async () => {
    folder = join(folders.make(), 'readme')
    const above = join(folder, '..')
    installPackage(above, Object.keys(PACKAGE.devDependencies))
    const blocks = writeDocument(readFileSync(join(ROOT, 'README.md'), 'utf8'), folder)
    scriptTag = blocks.find(({ language }) => language === 'html')?.code ?? ''
    site = await openSite()
    browser = await launchBrowser(chromium)
  })

  afterAll(async () => {
    await browser?.close()
    await site?.close()
    folders.remove()
  })

  beforeEach(async () => {
    profile = await browser.openProfile()
  })

  afterEach(async () => {
    await profile.close()
    for (const program of programs.splice(0)) await program.stop()
  })

  describe('the code in README.md', () => {
    it('keeps, on both sides, what its first screen keeps', async () => {
      writeFileSync(join(folder, 'page.js'), await bundleIn(folder, "import './page.ts'"))
      const port = await start('--input-type=module', '-e', SERVER)
      const page = await profile.newPage()
      const logged: string[] = []
      page.on('console', (message) => logged.push(message.text()))

      const first = await page.goto(`http://127.0.0.1:${port}/`)
      expect(await first?.text()).toContain('<html data-theme="light">In your cart: 0')
      await expect.poll(() => logged).toEqual(['1'])
      // It reaches the server by itself, soon.
      const htmlOnServer = async () => {
        const cookie = (await profile.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
        return (await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } })).text()
      }
      await expect.poll(htmlOnServer).toContain('<html data-theme="dark">In your cart: 1')

      const second = await page.reload()
      expect(await second?.text()).toContain('<html data-theme="dark">In your cart: 1')
      await expect.poll(() => logged).toEqual(['1', '2'])
    })

    it('keeps a theme without a bundler', async () => {
      const file = readFileSync(join(folder, '../node_modules/breadbin/dist/breadbin.min.js'))
      site.answer = async (request) => {
        if (new URL(request.url).pathname !== '/breadbin.min.js') return pageFrom(scriptTag)
        return new Response(file, { headers: { 'content-type': 'text/javascript' } })
      }
      const page = await profile.newPage()
      const theme = () => page.$eval('html', (html) => html.dataset.theme)
      await page.goto(site.origin)
      await expect.poll(theme).toBe('light')
      await profile.setCookie({ name: 'bb-theme', value: "1.1.0.0.'{'json':'dark'}", domain: '127.0.0.1' })
      await page.reload()
      await expect.poll(theme).toBe('dark')
    })

    it('serves pages, and the sync endpoint, on express', async () => {
      const port = await start('--import', `data:text/javascript,${encodeURIComponent(FREE_PORT)}`, 'app.ts')
      const response = await fetch(`http://localhost:${port}/`)
      expect(await response.text()).toBe('Good evening in dark')
      expect(response.headers.getSetCookie()).toEqual([
        expect.stringMatching(/^bb-theme=1\.1\.\w+\.\w+\.'\{'json':'dark'\}; /),
      ])
      const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
      const part = { owner: 'visitor', store: 'default', tag: null, cursor: null, ops: [] }
      const body = JSON.stringify({ v: 1, client: 'readme', parts: [part] })
      const synced = await fetch(`http://localhost:${port}/bins/sync`, { method: 'POST', headers, body })
      expect([synced.status, await synced.json()]).toEqual([200, { v: 1, parts: [] }])
    })

    it('renders each change of a bin in React', async () => {
      const script = await bundleIn(folder, COMPONENT)
      site.answer = async () => pageWith(script.replaceAll('</script', '<\\/script'))
      const page = await profile.newPage()
      await page.goto(site.origin)
      const button = await page.waitForSelector('button')
      const text = () => page.$eval('button', ({ textContent }) => textContent)
      expect(await text()).toBe('light, no bread')
      await button?.click()
      await expect.poll(text).toBe('dark, no bread')
    })
  })
}

/** Starts a program in the folder of the document. Returns its first line. */
async function start(...args: string[]): Promise<string> {
  const program = await startProgram(args, folder)
  programs.push(program)
  return program.firstLine
}

/** Bundles a module for browsers, as a user's bundler would. */
async function bundleIn(resolveDir: string, contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    charset: 'ascii',
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  return outputFiles[0]?.text ?? ''
}

function pageFrom(html: string): Response {
  return new Response(`<!doctype html>${html}`, { headers: { 'content-type': 'text/html; charset=utf-8' } })
}
