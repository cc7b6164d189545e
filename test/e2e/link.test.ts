import type { BrowserContext, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type BinsServer, serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { needs } from '../support/needs.ts'
import { launchBrowser, runIn, type TestBrowser } from '../support/pages/browser.ts'
import { bundle } from '../support/pages/browser-bundle.ts'
import { openSite, type Site } from '../support/sites/http-site.ts'
import { linkBins } from './pages/link-bins.ts'

let browser: TestBrowser
let site: Site
let script: string
let server: BinsServer<typeof linkBins>
const profiles: BrowserContext[] = []
/** Paths, with queries, of the requests that the site has got, and their referrers. */
let heard: string[] = []

async function answer(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  heard.push(pathname + search, request.headers.get('referer') ?? '')
  if (pathname.startsWith(linkBins.path)) return server.fetch(request)
  const state = await server.open(request)
  if (pathname === '/share') return state.save(new Response(await state.link(`${site.origin}/shop`)))
  const html = `<!doctype html><meta charset="utf-8"><title>Shop</title>
<output id="cart"></output><button id="add">Add</button>
<button id="share">Go on elsewhere</button><output id="url"></output>
<form id="question" hidden><button type="button" id="yes">Go on here</button>
<button type="button" id="both">Put both together</button></form>
<script type="module">${script}</script>`
  return state.save(new Response(html, { headers: { 'content-type': 'text/html' } }))
}

/** Opens a page, on a device of its own unless one is named. */
async function openPage(url: string, profile?: BrowserContext): Promise<Page> {
  const device = profile ?? (await browser.openProfile())
  profiles.push(device)
  const page = await device.newPage()
  await page.goto(url)
  await page.waitForSelector('[data-open]')
  return page
}

const textIn = (page: Page, id: string) => page.$eval(`#${id}`, (element) => element.textContent)
const cartOf = (page: Page) => textIn(page, 'cart')

/** Presses a button in a page, whether or not it is the one in front. */
const press = (page: Page, id: string) => page.$eval(`#${id}`, (button) => (button as HTMLElement).click())

async function add(page: Page, item: string): Promise<void> {
  await page.$eval('#add', (button, title) => Object.assign(button, { title }), item)
  await press(page, 'add')
}

/** The link that a page shows when it is asked for one. */
async function share(page: Page): Promise<string> {
  await press(page, 'share')
  await expect.poll(() => textIn(page, 'url')).toContain('#')
  return (await textIn(page, 'url')) ?? ''
}

const outcomeIn = (page: Page) => page.$eval('#question', (element) => element.getAttribute('title'))

for (const name of ['chromium', 'firefox'] as const) {
  const executable = needs(name)
  if (!executable) continue
  describe(`a link to another device, in ${name}`, () => {
    beforeAll(async () => {
      script = await bundle(new URL('./pages/link.ts', import.meta.url))
      browser = await launchBrowser(executable, { name })
      site = await openSite()
    })

    afterAll(async () => {
      await browser.close()
      await site.close()
    })

    beforeEach(() => {
      heard = []
      server = serveBins(linkBins, { store: memoryStore() })
      site.answer = answer
    })

    afterEach(async () => {
      for (const profile of new Set(profiles.splice(0))) await profile.close()
      await server.close()
    })

    it('takes the cart along, once its user has agreed, and both follow each other', async () => {
      const laptop = await openPage(`${site.origin}/shop`)
      await add(laptop, 'rye')
      await expect.poll(() => runIn(laptop, () => document.cookie)).toContain('bb.o=')
      const url = await share(laptop)
      const phone = await openPage(url)
      expect(phone.url()).toBe(`${site.origin}/shop`)
      expect(await runIn(phone, () => document.querySelector('form')?.hidden)).toBe(false)
      expect(await cartOf(phone)).toBe('')
      expect(await runIn(phone, () => document.cookie)).toBe('')
      const other = await openPage(`${site.origin}/shop`, phone.browserContext())
      await press(phone, 'yes')
      await expect.poll(() => cartOf(phone)).toBe('rye')
      await expect.poll(() => outcomeIn(phone)).toBe('accepted')
      await expect.poll(() => cartOf(other)).toBe('rye')
      await add(phone, 'baguette')
      await add(laptop, 'pretzel')
      const pages = [laptop, phone, other]
      for (const page of pages) {
        await page.bringToFront()
        await expect
          .poll(async () => (await cartOf(page))?.split(' ').sort())
          .toEqual(['baguette', 'pretzel', 'rye'])
      }
      const [secret = ''] = url.split('#').slice(1)
      for (const each of heard) expect(each).not.toContain(secret.slice(-43))
      const late = await openPage(url)
      await press(late, 'yes')
      await expect.poll(() => outcomeIn(late)).toBe('gone')
    })

    it('takes the place of no other cart, and puts both together where that is wanted', async () => {
      const [laptop, phone] = [await openPage(`${site.origin}/shop`), await openPage(`${site.origin}/shop`)]
      await add(laptop, 'rye')
      await add(phone, 'baguette')
      for (const page of [laptop, phone])
        await expect.poll(() => runIn(page, () => document.cookie)).toContain('bb.o=')
      // No page is loaded: it is this one.
      await phone.goto(await share(laptop))
      await phone.waitForSelector('#question:not([hidden])')
      expect(phone.url()).toBe(`${site.origin}/shop`)
      await press(phone, 'yes')
      await expect.poll(() => outcomeIn(phone)).toBe('has-data')
      expect(await cartOf(phone)).toBe('baguette')
      await press(phone, 'both')
      await expect.poll(() => outcomeIn(phone)).toBe('accepted')
      for (const page of [phone, laptop]) {
        await page.bringToFront()
        await expect.poll(() => cartOf(page)).toBe('rye baguette')
      }
    })
  })
}
