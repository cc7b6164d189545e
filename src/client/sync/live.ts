import { PROTOCOL } from '../../core/sync/wire.ts'
import { type Page, toOwnUrl } from '../page/page.ts'
import { isRecord } from './endpoint.ts'

/** What keeps a page up to date while its user sees it. */
export interface Live {
  /** Follows the server, if the page is shown and there is a visitor; nothing if it does already. */
  begin(): void
  /** Follows it anew: somebody else is logged in, or nobody. */
  again(): void
  /** Follows it no more. */
  close(): void
}

/** Circumstances of {@link openLive}. */
export interface LiveOptions {
  /** The page. */
  readonly page: Page
  /** Path of the sync endpoint. */
  readonly path: string
  /** Tag of the visitor; empty = the server does not know one. */
  readonly tag: () => string
  /** What this page knows already: cursors by store. */
  readonly known: () => Readonly<Record<string, string>>
  /** Exchanges with the server, if there is a visitor: unless this page knows as much as these cursors, or regardless. */
  readonly pull: (cursors?: Readonly<Record<string, unknown>>) => Promise<void>
}

/** How one way to follow the server has ended. */
interface End {
  /** Whether the server has answered as it should. */
  readonly isHeard: boolean
  /** Whether the server knows no visitor, and need not be asked again. */
  readonly isOver?: boolean
  /** How long the server wants to be left alone, in ms. */
  readonly retryMs?: number
}

/** How long the first event may take, in ms: something in between may hold the stream back until it ends. */
const HELLO_MS = 5_000
/** After how many ms a stream is replaced that nobody has ended: the server ends them earlier, if it is still there. */
const STREAM_MS = 420_000
/** How long a request that waits may take, in ms: the server answers within 25 s. */
const POLL_MS = 60_000
/** How long the next page may take, in ms; if the user is still here then, there is none. */
const STAY_MS = 10_000
/** How often a page asks that hears nothing by itself, in ms; up to half as much comes on top. */
const ASK_MS = 60_000
/** The first delay after a failure, in ms; it doubles each time. */
const FIRST_RETRY_MS = 1_000
/** The longest delay, in ms. */
const LAST_RETRY_MS = 60_000

/**
 * Opens what keeps a page up to date: one page of a browser holds a stream of events, or a request that waits, and tells
 * the others by what it stores. A page that hears nothing asks now and then.
 */
export function openLive({ page, path, tag, known, pull }: LiveOptions): Live {
  const url = `${path}/events`
  /** As long as the page is shown. */
  let shown: AbortController | undefined
  let isFollowing = false
  let isHearing = false
  /** The visitor that the server does not know, or has no events for. */
  let isOverFor: string | undefined
  let stopAsking = () => {}
  let stopStaying = () => {}
  const stopWatching = page.watch((moment) => {
    if (moment === 'hidden' || moment === 'leaving' || moment === 'left') end()
    // Firefox decides before `pagehide` whether the page can come back as it is; and not every answer is another page.
    if (moment === 'leaving') stopStaying = page.timer(begin, STAY_MS)
    if (moment !== 'shown' && moment !== 'online') return
    isOverFor = undefined
    begin()
    void pull()
  })

  function begin(): void {
    if (!page.isVisible()) return
    if (!shown) {
      shown = new AbortController()
      ask()
    }
    if (tag() === '') return
    if (!isFollowing && tag() !== isOverFor) void follow(shown.signal)
  }

  function end(): void {
    shown?.abort()
    shown = undefined
    isFollowing = false
    isHearing = false
    stopAsking()
    stopStaying()
  }

  function ask(): void {
    stopAsking = page.timer(
      () => {
        if (!isHearing) void pull()
        ask()
      },
      ASK_MS * (1 + page.random() / 2),
    )
  }

  async function follow(signal: AbortSignal): Promise<void> {
    isFollowing = true
    await page.lock('live', () => followAll(signal), signal)
    if (signal.aborted) return
    isFollowing = false
    isHearing = false
  }

  /** A stream if possible, else requests that wait; one after the other, until the page is hidden. */
  async function followAll(signal: AbortSignal): Promise<void> {
    // Without the companion cookie there is nobody to follow, whatever the server would say.
    for (let failures = 0; !signal.aborted && tag() !== ''; ) {
      const isStreaming = page.EventSource !== undefined && failures % 3 < 2
      const { isHeard, isOver, retryMs } = await (isStreaming ? stream(signal) : poll(signal))
      if (signal.aborted) return
      if (isOver) {
        isOverFor = tag()
        return
      }
      // Where streams never arrive, requests that wait are kept to.
      if (isStreaming || !isHeard) failures = isHeard ? 0 : failures + 1
      isHearing &&= isHeard
      const ceiling = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS)
      await pause(retryMs ?? page.random() * ceiling, signal)
    }
  }

  async function hear(cursors: unknown): Promise<void> {
    isHearing = true
    if (isRecord(cursors)) await pull(cursors)
  }

  function stream(signal: AbortSignal): Promise<End> {
    return new Promise((resolve) => {
      const source = new (page.EventSource as typeof EventSource)(toOwnUrl(url))
      let isHeard = false
      const stopWaiting = page.timer(() => finish({ isHeard }), HELLO_MS)
      const stopLiving = page.timer(() => finish({ isHeard }), STREAM_MS)
      const finish = (how: End) => {
        stopWaiting()
        stopLiving()
        signal.removeEventListener('abort', onAbort)
        source.close()
        resolve(how)
      }
      const onAbort = () => finish({ isHeard: true })
      const onCursors = (event: MessageEvent) => {
        const message = parse(event.data)
        if (!message) return
        isHeard = true
        stopWaiting()
        void hear(message.cursors)
      }
      signal.addEventListener('abort', onAbort)
      source.addEventListener('hello', onCursors)
      source.addEventListener('poke', onCursors)
      source.addEventListener('bye', (event) => {
        const retryMs = parse(event.data)?.retryMs
        finish({ isHeard: true, ...(typeof retryMs === 'number' ? { retryMs } : {}) })
      })
      // It would try again by itself, but all pages at the same time.
      source.addEventListener('error', () => finish({ isHeard }))
    })
  }

  function poll(signal: AbortSignal): Promise<End> {
    return new Promise((resolve) => {
      const finish = (how: End) => {
        stopWaiting()
        signal.removeEventListener('abort', onAbort)
        resolve(how)
      }
      const onAbort = () => finish({ isHeard: true })
      const stopWaiting = page.timer(() => finish({ isHeard: false }), POLL_MS)
      signal.addEventListener('abort', onAbort)
      void askAndWait(signal).then(finish)
    })
  }

  async function askAndWait(signal: AbortSignal): Promise<End> {
    try {
      const query = encodeURIComponent(JSON.stringify(known()))
      const response = await page.fetch(`${url}?known=${query}`, { credentials: 'same-origin', signal })
      if (response.status === 204 || response.status === 404) return { isHeard: true, isOver: true }
      const message = response.status === 200 && parse(await response.text())
      if (!message) return { isHeard: false }
      await hear(message.cursors)
      return { isHeard: true }
    } catch {
      return { isHeard: false }
    }
  }

  function pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        stop()
        signal.removeEventListener('abort', finish)
        resolve()
      }
      const stop = page.timer(finish, ms)
      signal.addEventListener('abort', finish)
    })
  }

  return {
    begin,
    again() {
      if (!shown) return
      end()
      isOverFor = undefined
      begin()
    },
    close() {
      stopWatching()
      end()
    },
  }
}

/** A message of our server; a captive portal speaks otherwise. */
function parse(text: unknown): Record<string, unknown> | undefined {
  try {
    const message: unknown = JSON.parse(String(text))
    return isRecord(message) && message.v === PROTOCOL ? message : undefined
  } catch {
    return undefined
  }
}
