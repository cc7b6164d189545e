import type { Bus } from '../../buses/bus.ts'
import type { BinsRecord } from '../../core/sync/record.ts'
import { type LiveCursors, PROTOCOL } from '../../core/sync/wire.ts'
import { unreadableRecord } from '../errors.ts'
import { openJar } from '../http/cookie-jar.ts'
import type { RequestHead } from '../http/request-head.ts'
import { visitorKey } from '../identity/token.ts'
import { openUser } from '../identity/user.ts'
import { openVisitor } from '../owner/visitor.ts'
import type { ServerParts } from '../parts.ts'
import { userPlace } from '../records/record-ref.ts'
import { parseCursors } from '../sync/wire-schema.ts'
import { openFanOut } from './bus-channel.ts'
import { openEventStream } from './event-stream.ts'
import { cursorOf, movedCursors, openWatches, type Position, type Watch, type Watches } from './watches.ts'

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

/** Whose records are watched, by their keys. */
interface OwnerKeys {
  /** The visitor. */
  readonly visitor: string
  /** The user who is logged in; `undefined` = nobody is. */
  readonly user: string | undefined
}

/**
 * Watches a visitor's records together with those of its user, whose cursors are named by their places.
 *
 * @param stores Those with bins of scope `'user'` that the browser may see.
 * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`: nothing is watched then.
 */
async function watchOwner(
  watches: Watches,
  { visitor, user }: OwnerKeys,
  { stores, onMove }: { stores: readonly string[]; onMove: () => void },
): Promise<Watch> {
  const own = await watches.open(visitor, onMove)
  if (user === undefined || stores.length === 0) return own
  const its = await watches.open(user, onMove).catch((error: unknown) => {
    own.stop()
    throw error
  })
  let last: { readonly of: readonly Position[]; readonly position: Position } | undefined

  function position(): Position {
    const of = [own.position, its.position]
    if (last?.of.every((one, index) => one === of[index])) return last.position
    const cursors = Object.entries(its.position.cursors)
      .filter(([store]) => stores.includes(store))
      .map(([store, cursor]) => [userPlace(store), cursor])
    const both = { ...own.position.cursors, ...Object.fromEntries(cursors) }
    last = { of, position: { cursors: both, isGone: own.position.isGone } }
    return last.position
  }

  return {
    get position() {
      return position()
    },
    stop() {
      own.stop()
      its.stop()
    },
  }
}
