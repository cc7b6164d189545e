import { AsyncLocalStorage } from 'node:async_hooks'
import { parseSetCookie } from 'cookie'
import { Browser, type BrowserContext, type BrowserWindow } from 'happy-dom'
import type { ClientBins } from '../../../src/client/client-bins.ts'
import { type ClientOptions, openBins } from '../../../src/client/open-bins.ts'
import type { Definitions } from '../../../src/core/definition/definition.ts'
import { type CookieJar, ORIGIN } from '../sites/http.ts'

/** A browser profile of happy-dom: its pages of the test's site share their cookies. There is no IndexedDB. */
export interface Profile {
  /** Its cookies, those that scripts do not see included. */
  readonly jar: CookieJar
  /** Opens bins in a new page. Whatever they do later, they do in that page. */
  open<D extends Definitions>(definitions: D, options?: ClientOptions): Promise<ClientBins<D>>
  /** Runs something in a page of its own. */
  run<Result>(work: (document: BrowserWindow['document']) => Result): Result
}

/** The window that the running code belongs to: what it awaits, and what goes on after that, included. */
const present = new AsyncLocalStorage<Pick<BrowserWindow, 'document' | 'location' | 'history'>>()

// So several browsers fit into one process.
for (const name of [
  'document',
  'location',
  'history',
  'navigator',
  'BroadcastChannel',
  'EventSource',
] as const) {
  const get = () => (present.getStore() as Partial<typeof globalThis> | undefined)?.[name]
  Object.defineProperty(globalThis, name, { configurable: true, get })
}

/**
 * Opens a profile without cookies.
 *
 * @param options `blocksCookies`: it keeps none, neither of scripts nor of responses.
 */
export function openProfile({ blocksCookies = false } = {}): Profile {
  const browser = new Browser().newIncognitoContext()
  const jar = jarOf(browser)
  return {
    jar: blocksCookies ? { ...jar, set: () => {} } : jar,
    async open(definitions, options = {}) {
      const window = openWindow(browser, blocksCookies)
      const run = <Result>(work: () => Result): Result => present.run(window, work)
      const { timer } = options
      const inPage = timer && { timer: (call: () => void, ms: number) => timer(() => run(call), ms) }
      const bins = await run(() => openBins(definitions, { ...options, ...inPage }))
      return runningIn(bins, run)
    },
    run(work) {
      const window = openWindow(browser, blocksCookies)
      return present.run(window, () => work(window.document))
    },
  }
}

function openWindow(browser: BrowserContext, blocksCookies: boolean): BrowserWindow {
  const page = browser.newPage()
  page.url = `${ORIGIN}/`
  const { window } = page.mainFrame
  // Pages that are shown follow the server; what these do is not about that.
  Object.defineProperty(window.document, 'visibilityState', { value: 'hidden' })
  if (blocksCookies) Object.defineProperty(window.document, 'cookie', { get: () => '', set: () => {} })
  return window
}

function jarOf({ cookieContainer }: BrowserContext): CookieJar {
  return {
    header: () =>
      cookieContainer
        .getCookies()
        .map(({ key, value }) => `${key}=${value}`)
        .join('; '),
    set(line) {
      const {
        name,
        value = '',
        maxAge,
        expires,
        httpOnly = false,
      } = parseSetCookie(line, { decode: (text) => text })
      const until = maxAge === undefined ? expires : new Date(maxAge > 0 ? Date.now() + maxAge * 1_000 : 0)
      const life = until && { expires: until }
      cookieContainer.addCookies([
        { key: name, value, path: '/', httpOnly, originURL: new URL(ORIGIN), ...life },
      ])
    },
    restart() {
      const lasting = cookieContainer.getCookies().filter(({ expires }) => expires !== null)
      cookieContainer.clearCookies()
      cookieContainer.addCookies(lasting)
    },
  }
}

/** The same bins, whose methods run in their page whoever calls. */
function runningIn<B extends object>(bins: B, run: <Result>(work: () => Result) => Result): B {
  const methods = Object.entries(bins).map(([name, method]) => [
    name,
    (...parameters: unknown[]) => run(() => method(...parameters)),
  ])
  // Each property of bins is a method, and none needs its `this`.
  return Object.fromEntries(methods) as B
}
