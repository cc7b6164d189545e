import type { BinsRecord } from '../core/record.ts'
import { type LiveCursors, PROTOCOL } from '../core/wire.ts'
import type { Bus } from './bus.ts'
import { unreadableRecord } from './errors.ts'
import { openEventStream } from './event-stream.ts'
import { openFanOut } from './fan-out.ts'
import type { RequestHead } from './head.ts'
import { openJar } from './jar.ts'
import { type OwnerKeys, watchOwner } from './owner-watch.ts'
import type { ServerParts } from './parts.ts'
import { visitorKey } from './token.ts'
import { openUser } from './user.ts'
import { openVisitor } from './visitor.ts'
import { cursorOf, movedCursors, openWatches } from './watches.ts'
import { parseCursors } from './wire-schema.ts'

/** Tells pages at once what others have changed: by streams of events, and by long polls where streams do not arrive. */
export interface Live {
  /**
   * Answers `GET {path}/events`.
   *
   * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`.
   */
  answer(request: Request, head: RequestHead): Promise<Response>
  /** Takes notice of a record that this process has written, and tells the others. Never fails. */
  written(store: string, key: string, version: number, record: BinsRecord): void
  /** Ends all streams, long polls and timers. */
  close(): Promise<void>
}

/** Options of {@link openLive}. */
export interface LiveOptions {
  /** Carries changes between the processes of the site. */
  readonly bus: Bus | undefined
  /** Most streams and long polls in this process. */
  readonly maxStreams: number
}

/** Most streams and long polls of one visitor in one process: a browser needs one, its other tabs listen to that. */
const MAX_STREAMS_EACH = 30

/** How long a long poll waits at most, in ms: less than the 30 s after which some proxies give up. */
const POLL_MS = 25_000

/** Over how many ms the clients of a server that ends come back. */
const SPREAD_MS = 10_000

/** Prepares to tell pages of changes. Nothing runs before the first page asks. */
export function openLive(parts: ServerParts, { bus, maxStreams }: LiveOptions): Live {
  const { definitions, all, records, timer, fraction, onEvent } = parts
  const visible = all.filter(({ storage, browser }) => storage === 'server' && browser !== 'none')
  const userStores = [...new Set(visible.filter(({ scope }) => scope === 'user').map(({ store }) => store))]
  const fanOut = openFanOut(bus, {
    onChange: (change) => watches.tell(change),
    onGap: () => watches.check(),
    onEvent,
  })
  const watches = openWatches({
    stores: [...new Set(visible.map(({ store }) => store))],
    records,
    onCheck: fanOut.listen,
    timer,
    fraction,
  })
  /** What ends each stream and long poll. */
  const endings = new Set<() => void>()
  let isClosed = false

  async function findOwner(head: RequestHead): Promise<OwnerKeys | undefined> {
    const jar = openJar(head, definitions.cookie)
    const user = openUser(parts.login, head.request)
    const visitor = openVisitor(parts, jar, { user, mayMint: () => {} })
    await visitor.load()
    if (visitor.isUnreadable) throw unreadableRecord()
    const { token, record } = visitor
    if (!token) return undefined
    await user.load()
    const isAttached = typeof user.key === 'string' && record?.user === user.key
    return { visitor: visitorKey(token), user: isAttached ? (user.key ?? undefined) : undefined }
  }

  function watch(keys: OwnerKeys, onMove: () => void) {
    return watchOwner(watches, keys, { stores: userStores, onMove })
  }

  function busy(key?: string): Response | undefined {
    if (isClosed) return closed()
    if (watches.size >= maxStreams) return refuse(503, 'streams', 60)
    if (key && watches.count(key) >= MAX_STREAMS_EACH) return refuse(429, 'streams', 60)
    return undefined
  }

  function closed(): Response {
    return refuse(503, 'closed', 1 + Math.floor((SPREAD_MS / 1_000) * fraction()))
  }

  async function stream(keys: OwnerKeys, { signal }: Request): Promise<Response> {
    let onMove = () => {}
    const watched = await watch(keys, () => onMove())
    if (watched.position.isGone || signal.aborted || isClosed) {
      watched.stop()
      return busy() ?? nobody()
    }
    const events = openEventStream({
      timer,
      fraction,
      onEnd() {
        watched.stop()
        endings.delete(bye)
      },
    })
    const bye = () => events.bye(SPREAD_MS)
    endings.add(bye)
    onMove = () => events.tell(watched.position)
    onMove()
    return new Response(events.body, {
      headers: {
        'content-type': 'text/event-stream',
        // `no-transform` keeps compressing middleware from holding events back, the other header nginx.
        'cache-control': 'private, no-store, no-transform',
        'x-accel-buffering': 'no',
      },
    })
  }

  async function poll(
    keys: OwnerKeys,
    known: ReadonlyMap<string, string>,
    { signal }: Request,
  ): Promise<Response> {
    let onMove = () => {}
    const watched = await watch(keys, () => onMove())
    if (watched.position.isGone) {
      watched.stop()
      return nobody()
    }
    const hasMoved = () => movedCursors((store) => known.get(store), watched.position) !== undefined
    await new Promise<void>((resolve) => {
      const stopTimer = timer(end, POLL_MS)
      function end(): void {
        stopTimer()
        endings.delete(end)
        signal.removeEventListener('abort', end)
        watched.stop()
        resolve()
      }
      endings.add(end)
      signal.addEventListener('abort', end)
      onMove = () => {
        if (hasMoved() || isClosed || signal.aborted) end()
      }
      onMove()
    })
    if (isClosed && !hasMoved()) return closed()
    const content: LiveCursors = { v: PROTOCOL, cursors: watched.position.cursors }
    return Response.json(content, { headers: NOT_KEPT })
  }

  return {
    async answer(request, head) {
      const text = new URL(request.url).searchParams.get('known')
      const known = text === null ? undefined : parseCursors(text)
      if (text !== null && !known) return refuse(400, 'malformed')
      const refusal = busy()
      if (refusal) return refusal
      const keys = visible.length > 0 ? await findOwner(head) : undefined
      if (!keys) return nobody()
      return busy(keys.visitor) ?? (known ? poll(keys, known, request) : stream(keys, request))
    },

    written(store, key, version, record) {
      const change = { store, key, version, cursor: cursorOf(record) }
      watches.tell(change)
      fanOut.publish(change)
    },

    async close() {
      isClosed = true
      for (const end of [...endings]) end()
      await fanOut.close()
    },
  }
}

const NOT_KEPT = { 'cache-control': 'private, no-store' }

/** Tells an EventSource not to come again. */
function nobody(): Response {
  return new Response(null, { status: 204, headers: NOT_KEPT })
}

function refuse(status: number, error: string, retryAfter?: number): Response {
  const headers = retryAfter === undefined ? NOT_KEPT : { ...NOT_KEPT, 'retry-after': String(retryAfter) }
  return Response.json({ error }, { status, headers })
}
