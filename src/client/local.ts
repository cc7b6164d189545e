import type { BinText } from '../core/data.ts'
import type { Definition, Definitions } from '../core/definition.ts'
import type { OnEvent } from '../core/event.ts'
import type { RejectedEdit } from '../core/replica.ts'
import { type AnswerPart, isLater, PROTOCOL } from '../core/wire.ts'
import { openClearance } from './clearance.ts'
import type { Status } from './client.ts'
import { openDeviceBins } from './device-bins.ts'
import { isRecord } from './endpoint.ts'
import type { SyncResult } from './exchange.ts'
import { openKeptRows } from './kept-rows.ts'
import { openLive } from './live.ts'
import type { Page } from './page.ts'
import type { Edit } from './page-edits.ts'
import { openReplica } from './replica.ts'
import { readingOf } from './replica-rows.ts'
import { openSync } from './sync.ts'

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
  /** Whether the server has not answered for the last edit of a bin. */
  isPending(definition: Definition): boolean
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
export interface LocalOptions {
  /** The page. */
  readonly page: Page
  /** Every bin of the application. */
  readonly definitions: Definitions
  /** How long to wait for a first answer of the server, in ms. */
  readonly wait: number
  /** What the server has put into the page. */
  readonly snapshot: string | undefined
  /** Receives what an owner may want to log. */
  readonly onEvent: OnEvent | undefined
  /** Told after each change of what bins hold. */
  readonly onChange: () => void
  /** Told after each change of the sync's status. */
  readonly onStatus: () => void
  /** Told after each change of what is stored. */
  readonly onStored: () => void
}

/** How often a page looks whether IndexedDB works again, in ms. */
const RECOVERY_MS = 60_000

/** Opens what this device keeps besides cookies. */
export async function openLocal(options: LocalOptions): Promise<Local> {
  const { page, definitions, wait, snapshot, onEvent, onChange, onStatus, onStored } = options
  const { cookies, clock, timer, newId } = page
  const reading = readingOf(page, definitions)
  // Where there is no database at all, nothing can be in it, now or later.
  const hasDatabase = page.rows !== undefined || 'indexedDB' in globalThis
  let stopRecovering = () => {}
  const rows = await openKeptRows({
    page,
    definitions,
    reading,
    onEvent,
    onStored,
    onMoved() {
      recoverLater()
      onStatus()
    },
  })
  const clearance = await openClearance(rows)
  const device = await openDeviceBins({ rows, clock, session: cookies.session, onChange })
  const replica = await openReplica({
    definitions,
    rows,
    isShared: () => rows.storage.kind === 'indexeddb',
    reading,
    tag: presentTag(),
    isCleared: (tag) => tag !== '' && tag === clearance.tag,
    page,
    onChange,
  })
  const stores = visibleStores(definitions)
  const sync = openSync({
    page,
    replica,
    stores,
    path: definitions.path,
    clearance,
    onEvent,
    onStatus() {
      onStatus()
      // The first exchange may have made the visitor.
      if (sync.phase === 'idle') live.begin()
    },
  })
  const live = openLive({
    page,
    path: definitions.path,
    tag: () => (stores.length > 0 ? presentTag() : ''),
    known: () => replica.cursors,
    pull,
  })
  let isLeft = false
  const stopWatching = page.watch((moment) => {
    if (moment === 'left') isLeft = true
    if (moment === 'shown') isLeft = false
    if (moment === 'hidden' || moment === 'left') sync.leave()
    if (moment === 'shown') void recover()
    if (moment === 'cookies' && stores.length > 0 && presentTag() !== replica.tag) void pull()
  })
  const isFailedRead = rows.storage.kind !== 'indexeddb' && hasDatabase
  if (stores.length > 0) await start()

  /** Tag of the visitor that the cookies speak of now: any response may have made one. */
  function presentTag(): string {
    const tag = cookies.visitorTag()
    return tag === null || tag === clearance.tag ? '' : tag
  }

  /** Takes in what the server has put into the page. Tells whether that is all there is to know. */
  async function takeSnapshot(): Promise<boolean> {
    const fresh = new Set<string>()
    for (const part of parseSnapshot(snapshot)) {
      const { tag, cursors } = replica
      // The page may be an old one, from a cache, or somebody else's.
      if (part.tag !== tag || !isLater(part.cursor, cursors[part.store])) continue
      await replica.absorb(part, { tag, client: '', ops: new Map(), cursors })
      fresh.add(part.store)
    }
    return stores.every((store) => fresh.has(store))
  }

  function recoverLater(): void {
    stopRecovering()
    if (hasDatabase) stopRecovering = timer(() => void recover(), RECOVERY_MS)
  }

  /** What waits to be sent goes first: in IndexedDB, it would be the edit of another replica. */
  async function recover(): Promise<void> {
    stopRecovering()
    if (replica.pending().count === 0 && (await rows.recover())) await reload()
    else if (rows.storage.kind !== 'indexeddb') recoverLater()
  }

  async function reload(): Promise<void> {
    await clearance.reload()
    await sync.followOwner()
    await device.reload()
    await replica.reload()
    sync.later()
  }

  async function pull(cursors?: Readonly<Record<string, unknown>>): Promise<void> {
    const isNobody = replica.tag === '' && cookies.visitorTag() === null
    if (isNobody && replica.pending().count === 0 && sync.phase === 'idle') return
    // What is on its way may bring what there is to know.
    await sync.quiet()
    const { cursors: known } = replica
    const isNews = !cursors || Object.entries(cursors).some(([store, cursor]) => known[store] !== cursor)
    if (isNews) await sync.now().catch(() => {})
  }

  /** A first exchange, in the background or awaited. */
  async function start(): Promise<void> {
    const isKnown = visibleBins(definitions).every(replica.isPulled)
    const isFresh = await takeSnapshot()
    if (replica.pending().count === 0 && !clearance.isPending) {
      // Any response may make the visitor.
      if (replica.tag === '') return live.begin()
      // If there is news, the stream will tell.
      if (isFresh) return live.begin()
    }
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
      // The page's own listeners to `pagehide` come after ours.
      if (isLeft) sync.leave()
      else sync.soon()
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
    isPending: replica.isPending,
    rejected: replica.rejected,
    discard: replica.discard,

    status() {
      const { count, oldestMs } = replica.pending()
      return {
        phase: sync.phase,
        pending: count,
        oldestPendingMs: oldestMs,
        storage: rows.storage,
        lastSyncedAt: sync.lastSyncedAt,
        // Where rows cannot be shared, what waits lives as long as the page.
        problem: sync.problem ?? (count > 0 && rows.storage.kind !== 'indexeddb' ? 'not-kept' : undefined),
      }
    },

    reload,

    async close() {
      stopWatching()
      stopRecovering()
      live.close()
      sync.close()
      await device.flush()
      await replica.flush()
      rows.close()
    },
  }
}

function parseSnapshot(text = '{}'): AnswerPart[] {
  const snapshot: unknown = JSON.parse(text)
  // Our server has made it.
  return isRecord(snapshot) && snapshot.v === PROTOCOL ? (snapshot.parts as AnswerPart[]) : []
}

function visibleBins({ names, find, others }: Definitions): Definition[] {
  const all = [...names.map(find), ...(others ? [others] : [])]
  return all.filter(({ storage, browser }) => storage === 'server' && browser !== 'none')
}

function visibleStores(definitions: Definitions): string[] {
  return [...new Set(visibleBins(definitions).map(({ store }) => store))]
}
