import type { BrowserContext, Frame, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ClientBins } from '../../src/client/client-bins.ts'
import { type BinsServer, serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { needs } from '../support/needs.ts'
import { type BrowserName, launchBrowser, runIn, type TestBrowser } from '../support/pages/browser.ts'
import { bundle } from '../support/pages/browser-bundle.ts'
import { openSite, pageWith, type Site } from '../support/sites/http-site.ts'
import { headerBins } from './pages/header-bins.ts'

/** In a page. */
declare const opened: Promise<ClientBins<typeof headerBins>>

/** How long something may take that the other side tells of, in ms. */

const executables: Record<BrowserName, string | undefined> = {
  chromium: needs('chromium'),
  firefox: needs('firefox'),
}

for (const name of ['chromium', 'firefox'] as const) {
  const executable = executables[name]
  if (executable) describe(`transport by a header, in ${name}`, () => headerCases(name, executable))
}

function headerCases(name: BrowserName, executable: string): void {
  let browser: TestBrowser
  let script: string
  let api: Site
  let app: Site
  let server: BinsServer<typeof headerBins>
  let profile: BrowserContext
  let requests: Request[]

  beforeAll(async () => {
    script = await bundle(new URL('./pages/header.ts', import.meta.url))
    browser = await launchBrowser(executable, { name })
  })

  afterAll(() => browser.close())

  beforeEach(async () => {
    api = await openSite()
    app = await openSite()
    requests = []
    server = serveBins(headerBins, { store: memoryStore(), origins: [originOf(app)] })
    api.answer = answer
    app.answer = async () => pageWith(`globalThis.server = '${api.origin}';${script}`)
    profile = await browser.openProfile()
  })

  afterEach(async () => {
    await server.close()
    await profile.close()
    await api.close()
    await app.close()
  })

  /** Another site than that of the API, whose cookies browsers keep apart. */
  function originOf(site: Site): string {
    return site.origin.replace('127.0.0.1', 'localhost')
  }

  /** The API: the sync endpoint; a page that sets a cookie, and pages that say what the server sees. */
  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    requests.push(request.clone())
    if (pathname.startsWith(headerBins.path)) return server.fetch(request)
    if (pathname === '/page') return pageWith(script)
    if (pathname === '/cookie') return new Response('', { headers: { 'set-cookie': 'planted=1; Path=/' } })
    if (pathname === '/away') return allowed(Response.redirect(`${app.origin}/away`))
    if (request.method === 'OPTIONS') {
      return allowed(new Response(null, { headers: { 'access-control-allow-headers': 'breadbin-cookie' } }))
    }
    const state = await server.open(request)
    return state.save(allowed(Response.json([state.get('note') ?? null, state.get('theme') ?? null])))
  }

  function allowed(response: Response): Response {
    return new Response(response.body, {
      status: response.status,
      headers: { ...Object.fromEntries(response.headers), 'access-control-allow-origin': '*' },
    })
  }

  async function openApp(): Promise<Page> {
    const page = await profile.newPage()
    await page.goto(originOf(app))
    return page
  }

  const write = (page: Page | Frame, note: string, theme: string) =>
    runIn(
      page,
      async (note, theme) => {
        const state = await opened
        state.set('theme', theme)
        state.set('note', note)
        return state.sync().then(
          ({ accepted }) => accepted,
          ({ code }: { code: string }) => code,
        )
      },
      note,
      theme,
    )
  const read = (page: Page | Frame) =>
    runIn(page, async () => {
      const { get } = await opened
      return [get('note'), get('theme')]
    })
  const readServer = (page: Page | Frame, path = '/state') =>
    runIn(
      page,
      async (path) => {
        const response = await (await opened).fetch(path).catch(({ name }: Error) => name)
        return typeof response === 'string' ? response : response.json()
      },
      path,
    )

  it('keeps bins over a reload, and sets no cookie', async () => {
    const page = await openApp()
    // There is one: it counts for nothing, and is not sent.
    const visit = await profile.newPage()
    await visit.goto(`${api.origin}/cookie`)
    await visit.close()
    requests.length = 0
    expect(await write(page, 'mine', 'dark')).toEqual(['note'])
    expect(await readServer(page)).toEqual(['mine', 'dark'])
    await page.reload()
    expect(await read(page)).toEqual(['mine', 'dark'])
    expect(await readServer(page)).toEqual(['mine', 'dark'])
    expect((await profile.cookies()).map((cookie) => cookie.name)).toEqual(['planted'])
    const sent = requests.filter(({ method }) => method !== 'OPTIONS')
    expect(sent.filter(({ headers }) => headers.has('cookie') || !headers.has('breadbin-cookie'))).toEqual([])
    expect(await runIn(page, () => [document.cookie, localStorage.length])).toEqual(['', 0])
  })

  it('shares them with other tabs', async () => {
    const [one, other] = [await openApp(), await openApp()]
    expect(await write(one, 'mine', 'dark')).toEqual(['note'])
    await expect.poll(() => read(other)).toEqual(['mine', 'dark'])
    // Any tab may send it.
    await write(other, 'more', 'light')
    await expect.poll(() => read(one)).toEqual(['more', 'light'])
    await expect.poll(() => readServer(one)).toEqual(['more', 'light'])
    expect(await readServer(other)).toEqual(['more', 'light'])
  })

  it('hears of changes by requests that wait', async () => {
    const page = await openApp()
    await write(page, 'mine', 'dark')
    const isWaiting = () => requests.some(({ url, method }) => url.includes('?known=') && method === 'GET')
    await expect.poll(isWaiting).toBe(true)
    const carried = requests.at(-1)?.headers.get('breadbin-cookie') ?? ''
    const state = await server.open(new Request(api.origin, { headers: { 'breadbin-cookie': carried } }))
    state.set('note', 'of the server')
    await state.save(new Headers())
    await expect.poll(() => read(page)).toEqual(['of the server', 'dark'])
  })

  it('follows no redirect, which might lead to somebody else', async () => {
    const page = await openApp()
    await write(page, 'mine', 'dark')
    const away: Request[] = []
    app.answer = async (request) => {
      away.push(request)
      return allowed(new Response(null, { headers: { 'access-control-allow-headers': 'breadbin-cookie' } }))
    }
    expect(await readServer(page, '/away')).toBe('TypeError')
    expect(away).toEqual([])
  })

  it('is refused to pages of origins that are not listed', async () => {
    server = serveBins(headerBins, { store: memoryStore(), origins: ['https://app.example'] })
    const page = await openApp()
    expect(await write(page, 'mine', 'dark')).toBe('SYNC_FAILED')
    expect((await profile.cookies()).length).toBe(0)
  })

  it('keeps the bins of a site in a frame of another one', async () => {
    app.answer = async () =>
      new Response(`<!doctype html><iframe src="${api.origin}/page"></iframe>`, {
        headers: { 'content-type': 'text/html' },
      })
    const page = await openApp()
    const frame = () => page.frames().find((each) => each.url() === `${api.origin}/page`) ?? page.mainFrame()
    expect(await write(frame(), 'mine', 'dark')).toEqual(['note'])
    await page.reload()
    expect(await read(frame())).toEqual(['mine', 'dark'])
    expect(await readServer(frame())).toEqual(['mine', 'dark'])
    expect((await profile.cookies()).length).toBe(0)
  })
}
