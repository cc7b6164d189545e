import type { Definitions } from '../../core/definition/definition.ts'
import type { OnEvent } from '../../core/event.ts'
import type { Rows } from '../table/rows.ts'
import { openPageCookies, type PageCookies } from './cookies.ts'

/**
 * What befalls a page: its user sees it (again), does not see it any more and may never do so again, is about to go to
 * another page, has gone there, and perhaps comes back some time; the browser says that there is a network, or that a
 * cookie has changed.
 */
export type Moment = 'shown' | 'hidden' | 'leaving' | 'left' | 'online' | 'cookies'

/** Takes a message of another page of this browser. */
export type OnMessage = (message: unknown) => void

/** All that the client takes from the page it runs in. */
export interface Page {
  /** Cookies of the page. */
  readonly cookies: PageCookies
  /** Where rows are kept. Default: what the browser has. */
  readonly rows?: Rows
  /** Small texts that are kept at once; `undefined` where the browser has none. */
  readonly texts: Storage | undefined
  /** Sends requests. */
  readonly fetch: typeof globalThis.fetch
  /** Opens streams of events; `undefined` where the browser has none. */
  readonly EventSource: typeof globalThis.EventSource | undefined
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** A number from 0 to 1. */
  readonly random: () => number
  /** Calls back after some ms; what it returns takes the call back. */
  readonly timer: (run: () => void, ms: number) => () => void
  /** A fresh random id. */
  readonly newId: () => string
  /** Whether the user sees the page. */
  isVisible(): boolean
  /** Tells what befalls the page. Returns what ends that. */
  watch(listener: (moment: Moment) => void): () => void
  /** Opens the channel to the other pages of this browser. Messages may be lost. */
  openChannel(listener: OnMessage): { post(message: unknown): void; close(): void }
  /**
   * Runs work while no other page of this browser runs work under the same name.
   *
   * @param until Ends the wait, and lets others in while the work goes on: no page may keep the others waiting for long.
   */
  lock<Result>(name: string, work: () => Promise<Result>, until?: AbortSignal): Promise<Result>
  /** Stores what the page holds, and lets go of it. */
  close?(): Promise<void>
}

/** How requests carry what cookies are elsewhere: makes the page that does so of one that goes by cookies. */
export type Transport = (page: Page, definitions: Definitions, onEvent: OnEvent | undefined) => Promise<Page>

/** What of a page its owner may replace. */
export interface PageOptions {
  /** What requests carry instead of cookies: `headerTransport()` of `breadbin/header`. Default: cookies. */
  transport?: Transport
  /** Sends requests. Default the page's `fetch`. */
  fetch?: typeof globalThis.fetch
  /** The present, in ms since the Unix epoch. Default `Date.now`. */
  clock?: () => number
  /** A number from 0 to 1. Default `Math.random`. */
  random?: () => number
  /** Calls back after some ms; what it returns takes the call back. Default `setTimeout`. */
  timer?: (run: () => void, ms: number) => () => void
}

/** Opens the page that this code runs in. */
export function openPage(
  definitions: Definitions,
  { fetch, clock = Date.now, random = Math.random, timer = startTimer }: PageOptions,
  onEvent: OnEvent | undefined,
): Page {
  const { prefix } = definitions.cookie
  return {
    cookies: openPageCookies(definitions, { clock, onEvent }),
    texts: localTexts(),
    fetch: fetch ?? fetchOwn,
    EventSource: browser.EventSource,
    clock,
    random,
    timer,
    newId,
    isVisible: () => browser.document?.visibilityState !== 'hidden',
    watch: watchPage,
    openChannel: (listener) => openChannel(`breadbin-${prefix}`, listener),
    lock: (name, work, until) => withLock(`breadbin:${prefix}:${name}`, work, until),
  }
}

/** What an old browser lacks, or a page that is not secure. */
const browser: Partial<
  Pick<
    typeof globalThis,
    'document' | 'navigator' | 'location' | 'origin' | 'BroadcastChannel' | 'EventSource'
  >
> & {
  readonly cookieStore?: EventTarget
  readonly navigation?: EventTarget
} = globalThis

/** Sends a request; a path is one of the page's own server, whatever its `<base>` says. */
const fetchOwn: typeof globalThis.fetch = async (input, init) =>
  globalThis.fetch(typeof input === 'string' ? toOwnUrl(input) : input, init)

/**
 * The whole address of a path of the page's own server. `<base>` may name another host, to which no edit must go; and frames of
 * `srcdoc` and `blob:` have an origin, but no address that a path could be added to.
 */
export function toOwnUrl(path: string): string {
  const { origin, location } = browser
  // A sandboxed frame has an origin that is called null; its address is as good as ever.
  const base = origin === undefined || origin === 'null' ? location?.href : origin
  return base === undefined || !path.startsWith('/') ? path : new URL(path, base).href
}

export function startTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}

/** `crypto.randomUUID` is missing on insecure origins; `getRandomValues` is not. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}

/** A sandboxed document has no storage, and throws a SecurityError for the question. */
function localTexts(): Storage | undefined {
  try {
    return browser.document && globalThis.localStorage
  } catch {
    return undefined
  }
}

function watchPage(listener: (moment: Moment) => void): () => void {
  const stops = [
    // It bubbles: what the page's own listeners to it have edited is not to be left behind.
    listen(globalThis, 'visibilitychange', () =>
      listener(browser.document?.visibilityState === 'hidden' ? 'hidden' : 'shown'),
    ),
    listen(globalThis, 'pageshow', () => listener('shown')),
    listen(browser.navigation, 'navigate', (event) => {
      if (isAway(event)) listener('leaving')
    }),
    listen(globalThis, 'pagehide', () => listener('left')),
    listen(globalThis, 'online', () => listener('online')),
    listen(browser.cookieStore, 'change', () => listener('cookies')),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

/** Whether a `NavigateEvent` is about another document. */
function isAway(
  event: Event & { destination?: { sameDocument?: boolean }; downloadRequest?: unknown },
): boolean {
  return event.destination?.sameDocument === false && typeof event.downloadRequest !== 'string'
}

function listen(
  target: Partial<EventTarget> | undefined,
  type: string,
  listener: (event: Event) => void,
): () => void {
  target?.addEventListener?.(type, listener)
  return () => target?.removeEventListener?.(type, listener)
}

function openChannel(name: string, listener: OnMessage): { post: OnMessage; close(): void } {
  try {
    const channel = browser.BroadcastChannel && new browser.BroadcastChannel(name)
    if (channel) {
      channel.onmessage = ({ data }) => listener(data)
      return { post: (message) => channel.postMessage(message), close: () => channel.close() }
    }
  } catch {
    // A sandboxed document shares nothing with anybody.
  }
  return { post() {}, close() {} }
}

async function withLock<Result>(
  name: string,
  work: () => Promise<Result>,
  until?: AbortSignal,
): Promise<Result> {
  let begun: Promise<Result> | undefined
  const begin = () => {
    begun ??= work()
    return begun
  }
  try {
    await browser.navigator?.locks?.request(name, until ? { signal: until } : {}, async () => {
      const done = begin().catch(() => {})
      await (until ? Promise.race([done, aborted(until)]) : done)
    })
  } catch {
    // Nobody waits any more; or a sandboxed document, which gets no lock, and shares nothing with anybody.
  }
  return begin()
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
