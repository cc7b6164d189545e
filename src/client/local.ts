import type { BinText } from '../core/data.ts'
import type { Definition, Definitions } from '../core/definition.ts'
import { type OnEvent, report } from '../core/event.ts'
import type { RejectedEdit } from '../core/replica.ts'
import type { Status } from './client.ts'
import { openDeviceBins } from './device-bins.ts'
import { type Edit, openReplica } from './replica.ts'
import type { PageCookies } from './storages/cookie.ts'
import { deviceRows } from './storages/device.ts'
import { withFallback } from './storages/fallback.ts'
import type { Rows } from './storages/rows.ts'
import { type Clearance, openSync, type SyncOptions, type SyncResult } from './sync.ts'

/** What this device keeps besides cookies: its own bins, and the copies of server bins. */
export interface Local {
  /** What a device or server bin holds. */
  find(definition: Definition): BinText | undefined
  /** Makes an edit: visible at once, stored in the background. Resolves when it is stored. */
  edit(edit: Edit): Promise<void>
  /** Whether it is known what a bin holds. */
  isLoaded(definition: Definition): boolean
  /** Names of bins that may hold data. */
  names(): string[]
  /** Resolves when every edit so far is stored. Rejects if one could not be. */
  flush(): Promise<void>
  /** Deletes all device bins here, and all server bins everywhere. */
  clear(): Promise<void>
  /** Exchanges with the server, now. */
  sync(): Promise<SyncResult>
  /** The last edit of a bin that the server refused. */
  rejected(name: string): RejectedEdit | undefined
  /** Forgets a refused edit. */
  discard(name: string): Promise<void>
  /** Where the sync stands. */
  status(): Status
  /** Reads the rows again. */
  reload(): Promise<void>
  /** Ends the sync and lets go of the database. */
  close(): Promise<void>
}

/** Circumstances of {@link openLocal}. */
export interface LocalOptions extends Pick<SyncOptions, 'fetch' | 'clock' | 'random' | 'timer' | 'onStatus'> {
  /** Every bin of the application. */
  readonly definitions: Definitions
  /** The cookies of this page. */
  readonly cookies: PageCookies
  /** How long to wait for a first answer of the server, in ms. */
  readonly wait: number
  /** Receives what an owner may want to log. */
  readonly onEvent: OnEvent | undefined
  /** Told after each change of what bins hold. */
  readonly onChange: () => void
}

/** How long IndexedDB may take for one transaction, in ms, before the page goes on in memory. */
const DEADLINE_MS = 5_000

/** Opens what this device keeps besides cookies. */
export async function openLocal(options: LocalOptions): Promise<Local> {
  const { definitions, cookies, wait, clock, timer, onEvent, onChange, onStatus } = options
  let failure: unknown
  const table = deviceRows({ name: `breadbin-${definitions.cookie.prefix}`, deadlineMs: DEADLINE_MS })
  const rows = withFallback(table, (cause) => {
    failure = cause
    report(onEvent, { type: 'not-kept', bin: '', cause })
    onStatus()
  })
  const clearance = await openClearance(rows)
  const device = await openDeviceBins({ rows, clock, session: cookies.session, onChange })
  const presentTag = cookies.visitorTag()
  const replica = await openReplica({
    definitions,
    rows,
    tag: presentTag === null || presentTag === clearance.tag ? '' : presentTag,
    clock,
    newId,
    session: cookies.session,
    onChange,
  })
  const sync = openSync({
    ...options,
    replica,
    stores: visibleStores(definitions),
    path: definitions.path,
    visitorTag: cookies.visitorTag,
    clearance,
  })
  // Where there is no database at all, nothing can have been in it.
  const isFailedRead = failure !== undefined && 'indexedDB' in globalThis
  if (visibleStores(definitions).length > 0) await start()

  /** A first exchange, in the background or awaited. */
  async function start(): Promise<void> {
    const isKnown = visibleBins(definitions).every(replica.isPulled)
    if (replica.tag === '' && replica.pending().count === 0 && !clearance.isPending) return
    const first = sync.now().catch(() => {})
    if (wait === 0 || isKnown || replica.tag === '') return
    let stop = () => {}
    await Promise.race([
      first,
      new Promise<void>((resolve) => {
        stop = timer(resolve, wait)
      }),
    ])
    stop()
  }

  return {
    find: (definition) =>
      definition.storage === 'device' ? device.find(definition) : replica.find(definition),

    edit(edit) {
      const { storage, maxAge } = edit.definition
      if (maxAge === 'session') cookies.startSession(newId)
      if (storage === 'device') return device.edit(edit)
      const stored = replica.edit(edit)
      sync.soon()
      return stored
    },

    isLoaded(definition) {
      if (definition.storage === 'device') return !isFailedRead
      return replica.isPulled(definition) || (replica.tag === '' && !isFailedRead)
    },

    names: () => [...device.names(), ...replica.names()],

    async flush() {
      await device.flush()
      await replica.flush()
    },

    async clear() {
      await Promise.all([device.clear(), sync.clear()])
    },

    sync: () => sync.now(),
    rejected: replica.rejected,
    discard: replica.discard,

    status() {
      const { count, oldestMs } = replica.pending()
      return {
        phase: sync.phase,
        pending: count,
        oldestPendingMs: oldestMs,
        storage:
          failure === undefined ? { kind: 'indexeddb' } : { kind: 'memory', reason: reasonOf(failure) },
        lastSyncedAt: sync.lastSyncedAt,
        problem: sync.problem,
      }
    },

    async reload() {
      await device.reload()
      await replica.reload()
    },

    async close() {
      sync.close()
      await device.flush()
      await replica.flush()
      rows.close()
    },
  }
}

const CLEARANCE = 'c/'

async function openClearance(rows: Rows): Promise<Clearance> {
  let { tag, isPending } = parseClearance(await rows.load(CLEARANCE))
  return {
    get tag() {
      return tag
    },
    get isPending() {
      return isPending
    },
    async set(cleared, pending) {
      tag = cleared
      isPending = pending
      await rows.change(CLEARANCE, () => new Map([[CLEARANCE, { v: 1, tag, isPending }]]))
    },
  }
}

function parseClearance(all: ReadonlyMap<string, unknown>): { tag: string | null; isPending: boolean } {
  const row = all.get(CLEARANCE)
  if (typeof row !== 'object' || row === null || !('tag' in row) || !('isPending' in row)) {
    return { tag: null, isPending: false }
  }
  return { tag: typeof row.tag === 'string' ? row.tag : null, isPending: row.isPending === true }
}

function visibleBins({ names, find, others }: Definitions): Definition[] {
  const all = [...names.map(find), ...(others ? [others] : [])]
  return all.filter(({ storage, browser }) => storage === 'server' && browser !== 'none')
}

function visibleStores(definitions: Definitions): string[] {
  return [...new Set(visibleBins(definitions).map(({ store }) => store))]
}

function reasonOf(failure: unknown): string {
  return failure instanceof Error ? failure.name + ': ' + failure.message : String(failure)
}

/** `crypto.randomUUID` is missing on insecure origins; `getRandomValues` is not. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}
