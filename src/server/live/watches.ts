import type { BinsRecord } from '../../core/sync/record.ts'
import { type Cursors, toCursor } from '../../core/sync/wire.ts'
import type { Records } from '../records/records.ts'
import type { Change } from '../sync/wire-schema.ts'
import type { Timer } from '../timer.ts'

/** Where the records of a visitor are. */
export interface Position {
  /** For each store with bins that the browser may see. The same object until one of them moves. */
  readonly cursors: Cursors
  /** Whether the visitor was cleared or has expired. */
  readonly isGone: boolean
}

/** Somebody's look at a visitor's records. */
export interface Watch {
  /** Where they are. */
  readonly position: Position
  /** Ends it. */
  stop(): void
}

/** The visitors' records that this process watches, for streams and long polls. */
export interface Watches {
  /** Number of watches. */
  readonly size: number
  /** Number of watches of one visitor. */
  count(key: string): number
  /**
   * Watches a visitor's records.
   *
   * @param onMove Is called when {@link Watch.position} has changed, for many changes at a time once.
   * @returns As soon as it is known where they are. What changes from then on is told.
   * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`: they are not watched then.
   */
  open(key: string, onMove: () => void): Promise<Watch>
  /** Takes notice of a change, whoever made it. */
  tell(change: Change): void
  /** Looks into the stores for changes that nobody has told of. */
  check(): void
}

/** Options of {@link openWatches}. */
export interface WatchesOptions {
  /** Names of the stores with bins that the browser may see. */
  readonly stores: readonly string[]
  /** Records of a store, by its name. */
  readonly records: (store: string) => Records
  /** Is called with the first watch and with every check. */
  readonly onCheck: () => void
  /** Calls back after some ms. */
  readonly timer: Timer
  /** A number from 0 to 1. */
  readonly fraction: () => number
}

interface Known {
  readonly version: number
  readonly cursor: string
}

interface Watched {
  readonly listeners: Set<() => void>
  /** What was last heard or read of each record, by store. */
  readonly known: Map<string, Known>
  position: Position
  /** Ends the time in which changes are collected. */
  stopCollecting: (() => void) | undefined
  /** Whether there are any. */
  hasCollected: boolean
}

/** Cursor of a record that is not there, or cleared. */
const NOTHING = toCursor(undefined)

/** How often the stores are asked, on average, in ms. */
const CHECK_MS = 30_000

/** How long changes are collected after one was told, in ms. */
const COLLECT_MS = 100

/** Most records that are read at a time. */
const MAX_READS = 16

/** Prepares to watch records. Nothing happens, and no timer runs, before the first watch and after the last one. */
export function openWatches(options: WatchesOptions): Watches {
  const { stores, records, onCheck, timer, fraction } = options
  // The record in the default store tells whether the visitor is there.
  const all = [...new Set(['default', ...stores])]
  const watched = new Map<string, Watched>()
  let size = 0
  let stopTimer: (() => void) | undefined
  let isCheckDue = false
  let isChecking = false

  function begin(): void {
    onCheck()
    startTimer()
  }

  function startTimer(): void {
    const run = () => {
      startTimer()
      check()
    }
    stopTimer = timer(run, CHECK_MS * (0.8 + 0.4 * fraction()))
  }

  function enter(key: string): Watched {
    const known = watched.get(key)
    if (known) return known
    const entry: Watched = {
      listeners: new Set(),
      known: new Map(),
      position: { cursors: {}, isGone: false },
      stopCollecting: undefined,
      hasCollected: false,
    }
    watched.set(key, entry)
    return entry
  }

  function leave(key: string, entry: Watched, listener: () => void): void {
    if (!entry.listeners.delete(listener)) return
    size -= 1
    if (entry.listeners.size > 0) return
    entry.stopCollecting?.()
    watched.delete(key)
    if (watched.size > 0) return
    stopTimer?.()
    stopTimer = undefined
  }

  async function read(key: string, entry: Watched, store: string): Promise<void> {
    const before = entry.known.get(store)
    const { version, record } = await records(store).find(key)
    const now = entry.known.get(store)
    // Somebody has told of a later change meanwhile.
    if (now && now !== before && now.version > version) return
    const cursor = record === 'unreadable' ? (now?.cursor ?? NOTHING) : cursorOf(record)
    learn(entry, store, { version, cursor })
  }

  function learn(entry: Watched, store: string, known: Known): void {
    const before = entry.known.get(store)
    entry.known.set(store, known)
    if (before?.cursor === known.cursor) return
    entry.position = toPosition(stores, entry.known)
    if (before && entry.listeners.size > 0) announce(entry)
  }

  function announce(entry: Watched): void {
    entry.hasCollected = entry.stopCollecting !== undefined
    if (entry.hasCollected) return
    entry.stopCollecting = timer(() => {
      entry.stopCollecting = undefined
      if (entry.hasCollected) announce(entry)
    }, COLLECT_MS)
    for (const listener of [...entry.listeners]) listener()
  }

  function check(): void {
    isCheckDue = true
    if (!isChecking) void runChecks()
  }

  async function runChecks(): Promise<void> {
    isChecking = true
    while (isCheckDue && watched.size > 0) {
      isCheckDue = false
      onCheck()
      await Promise.all(all.map(checkStore))
    }
    isChecking = false
  }

  async function checkStore(store: string): Promise<void> {
    try {
      const versions = await records(store).versions([...watched.keys()])
      const moved = [...watched].filter(
        ([key, { known }]) => !versions || (versions.get(key) ?? 0) !== known.get(store)?.version,
      )
      const next = moved.values()
      const readAll = async () => {
        for (const [key, entry] of next) await read(key, entry, store)
      }
      await Promise.all(Array.from({ length: MAX_READS }, readAll))
    } catch {
      // A failing store was reported where it failed; the next check asks it again.
    }
  }

  return {
    get size() {
      return size
    },

    count: (key) => watched.get(key)?.listeners.size ?? 0,

    async open(key, onMove) {
      if (watched.size === 0) begin()
      const entry = enter(key)
      // The same function may watch twice.
      const listener = () => onMove()
      entry.listeners.add(listener)
      size += 1
      try {
        await Promise.all(all.map((store) => read(key, entry, store)))
      } catch (error) {
        leave(key, entry, listener)
        throw error
      }
      return {
        get position() {
          return entry.position
        },
        stop: () => leave(key, entry, listener),
      }
    },

    tell({ store, key, version, cursor }) {
      const entry = watched.get(key)
      if (!entry || !all.includes(store)) return
      const known = entry.known.get(store)
      if (!known || known.version < version) learn(entry, store, { version, cursor })
    },

    check,
  }
}

/** The cursor that a sync of this record would answer. */
export function cursorOf(record: BinsRecord | undefined): string {
  return record?.erased === undefined ? toCursor(record) : NOTHING
}

/** With the visitor, the records in all stores have gone. */
function toPosition(stores: readonly string[], known: ReadonlyMap<string, Known>): Position {
  const isGone = known.get('default')?.cursor === NOTHING
  const cursor = (store: string) => (isGone ? undefined : known.get(store)?.cursor) ?? NOTHING
  return { cursors: Object.fromEntries(stores.map((store) => [store, cursor(store)])), isGone }
}

/** The cursors that differ from those that are known; `undefined` if there are none. */
export function movedCursors(
  known: (store: string) => string | undefined,
  { cursors }: Position,
): Cursors | undefined {
  const moved = Object.entries(cursors).filter(([store, cursor]) => known(store) !== cursor)
  return moved.length > 0 ? Object.fromEntries(moved) : undefined
}
