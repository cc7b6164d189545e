import type { BrowserContext, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { type BinsServer, serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { type BrowserName, launchBrowser, runIn, type TestBrowser } from '../../support/pages/browser.ts'
import { bundle } from '../../support/pages/browser-bundle.ts'
import { openSite, type Site } from '../../support/sites/http-site.ts'
import type { Tab } from '../pages/tab.ts'
import { tabBins } from '../pages/tab-bins.ts'

/** In a page. */
declare const tab: Promise<Tab>

/** What a bin may hold in these tests, by name; `null` = nothing. */
export type Held = Record<string, unknown>

/** A browser and a site with bins. Each test has a profile and a server of its own. */
export interface Stage {
  /** Which browser it is. */
  readonly name: BrowserName
  /** Path of its executable. */
  readonly executable: string
  /** The browser. */
  readonly browser: TestBrowser
  /** The browser profile of this test. */
  readonly profile: BrowserContext
  /** The site. A test may put something before its answers. */
  readonly site: Site
  /** The server of this test. */
  readonly server: BinsServer<typeof tabBins>
  /** Answers as the site does by itself. */
  answer(request: Request): Promise<Response>
  /** Resolves when a page says a word, by a request to `/say?<word>`. Rejects when one says `error=…`. */
  says(word: string): Promise<void>
  /** Opens a page, in a window of its own: no tab hides another. */
  openPage(path: string, options?: WindowOptions): Promise<Page>
  /** Opens a window, and waits until its bins are open. */
  openWindow(path?: string, options?: WindowOptions): Promise<Page>
  /** What a page request of this browser finds. */
  onServer(): Promise<Held>
  /** A page request of this browser, as the server takes it. */
  request(): Promise<Request>
}

/** Options of {@link Stage.openPage}. */
export interface WindowOptions {
  /** The profile. Default that of the test. */
  readonly profile?: BrowserContext
  /** Whether it is a tab of a window that may be there. Default: a window of its own. */
  readonly type?: 'tab' | 'window'
  /** What is done before the page's own scripts run. */
  readonly prepare?: (page: Page) => Promise<unknown>
}

const NAMES = tabBins.names

/** The names of the bins in the server's store. */
export const ON_SERVER = NAMES.filter((name) => tabBins.find(name).storage !== 'device')

/** Opens a stage for the tests of a `describe`. */
export function openStage(name: BrowserName, executable: string): Stage {
  const scripts = new Map<string, Promise<string>>()
  let browser: TestBrowser
  let site: Site
  let profile: BrowserContext
  let server: BinsServer<typeof tabBins>
  let said = new Set<string>()
  let onSaid = () => {}

  beforeAll(async () => {
    site = await openSite()
    browser = await launchBrowser(executable, { name })
  })

  afterAll(async () => {
    await browser?.close()
    await site?.close()
  })

  beforeEach(async () => {
    server = serveBins(tabBins, { store: memoryStore() })
    site.answer = answer
    said = new Set()
    profile = await browser.openProfile()
  })

  afterEach(async () => {
    await profile.close()
    await server.close()
  })

  async function answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url)
    if (pathname.startsWith(tabBins.path)) return server.fetch(request)
    if (pathname === '/say') {
      said.add(search.slice(1))
      onSaid()
      return new Response(null, { status: 204 })
    }
    const [, page = ''] = /^\/([a-z-]*)$/.exec(pathname) ?? []
    if (page === 'plain') return html('')
    if (!pathname.endsWith('.js')) return html(`<script type="module" src="/${page || 'tab'}.js"></script>`)
    return new Response(await scriptOf(pathname.slice(1, -3)), {
      headers: { 'content-type': 'text/javascript', 'cache-control': 'max-age=86400' },
    })
  }

  function scriptOf(page: string): Promise<string> {
    const script = scripts.get(page) ?? bundle(new URL(`../pages/${page}.ts`, import.meta.url))
    scripts.set(page, script)
    return script
  }

  async function request(): Promise<Request> {
    const cookies = await profile.cookies()
    const cookie = cookies.map((one) => `${one.name}=${one.value}`).join('; ')
    return new Request(site.origin, { headers: { cookie } })
  }

  async function openPage(
    path: string,
    { type = 'window', profile: of = profile, prepare }: WindowOptions = {},
  ): Promise<Page> {
    const page = await of.newPage({ type })
    await prepare?.(page)
    await page.goto(site.origin + path)
    return page
  }

  return {
    name,
    executable,
    get browser() {
      return browser
    },
    get profile() {
      return profile
    },
    get site() {
      return site
    },
    get server() {
      return server
    },
    answer,
    says: (word) =>
      new Promise((resolve, reject) => {
        const before = onSaid
        onSaid = () => {
          before()
          for (const text of said) if (text.startsWith('error=')) reject(new Error(decodeURIComponent(text)))
          if (said.has(word)) resolve()
        }
        onSaid()
      }),
    openPage,
    async openWindow(path = '/', options) {
      const page = await openPage(path, options)
      await runIn(page, async () => void (await tab))
      return page
    },
    async onServer() {
      const state = await server.open(await request())
      return Object.fromEntries(ON_SERVER.map((bin) => [bin, state.get(bin as 'note') ?? null]))
    },
    request,
  }
}

/** What a page shows. */
export function shown(page: Page, names: readonly string[] = NAMES): Promise<Held> {
  return runIn(
    page,
    async (all) => {
      const { state } = await tab
      return Object.fromEntries(all.map((bin) => [bin, state.get(bin as 'note') ?? null]))
    },
    [...names],
  )
}

/** Resolves when a page that went its way has come to its end: the driver may hear of it later than the site. */
export async function isAtRest(page: Page): Promise<void> {
  await page.waitForFunction(() => 'isAtRest' in window)
}

/** Lets a page exchange with the server until every edit has been answered for. */
export function settle(page: Page): Promise<void> {
  return runIn(page, async () => {
    const { state } = await tab
    await state.sync()
    await new Promise<void>((resolve) => {
      const look = () => {
        if (state.status().pending === 0) resolve()
      }
      state.watch(look)
      look()
    })
  })
}

/** Writes in a page request, whose response goes nowhere. */
export async function writeInRequest(stage: Stage, bins: { note?: string; added?: number }): Promise<void> {
  const state = await stage.server.open(await stage.request())
  if (bins.note !== undefined) state.set('note', bins.note)
  if (bins.added !== undefined) await state.update('count', (count) => count + (bins.added ?? 0))
  await state.save(new Headers())
}

function html(script: string): Response {
  return new Response(`<!doctype html><meta charset="utf-8"><title>Bins</title>${script}`, {
    headers: { 'content-type': 'text/html; charset=utf-8' },
  })
}
