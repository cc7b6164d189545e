import { createHash } from 'node:crypto'
import { BinsError } from '../core/error.ts'
import type { Store, Stored } from '../stores/store.ts'
import { isMoved, type Move } from './mark.ts'
import { copyEntry, moveEntry } from './move-entry.ts'
import { raiseMark } from './moved-entry.ts'

/** How far a migration is. */
export interface MigrationProgress {
  /** Live entries seen in the old store so far, in this call. */
  readonly seen: number
  /** What to pass as `cursor` to go on from here; left out at the end. */
  readonly cursor?: string
}

/** What a migration has come to. */
export interface Migration {
  /** Live entries that were in the old store, and are in the new one as they were, or newer. */
  readonly count: number
  /** SHA-256 sums of their keys, versions, expiries and texts, added up: the same in both stores. Hexadecimal. */
  readonly digest: string
  /** Live entries that have come to the old store meanwhile; they were brought over too. */
  readonly late: number
}

/** Options of {@link migrate}. */
export interface MigrateOptions {
  /**
   * Whether entries leave the old store, so that a site on `movingStore(from, to, { move: true })` may run meanwhile.
   * Default `false`: the old store stays as it is, and nobody may write to it.
   */
  readonly move?: boolean
  /** Where an earlier call has stopped. Default: the beginning. To begin anew does no harm. */
  readonly cursor?: string
  /** Is told after each page. */
  readonly onProgress?: (progress: MigrationProgress) => void
  /** How many entries make a page; they are copied at once. Default 100. */
  readonly pageSize?: number
  /** The present, in ms since the Unix epoch. Default `Date.now`. */
  readonly clock?: () => number
}

/**
 * Brings all live entries of a store into another, with their versions and expiries. Each copy is read again, and counts and
 * digests of both stores are compared; what has come meanwhile is brought over too, and marks of moves and
 * deletions are removed from the new store, if it can scan. It can be stopped at any time, and called again.
 *
 * While the site runs, three deployments lose nothing: 1. all processes on `movingStore(from, to)`. 2. all processes on
 * `movingStore(from, to, { move: true })`; then `migrate(from, to, { move: true })`, until it answers `late: 0`. 3. all
 * processes on `to`.
 *
 * @throws TypeError if the old store cannot scan. {@link BinsError} `STORE_FAILED` if a copy is not what was written.
 */
export async function migrate(from: Store, to: Store, options: MigrateOptions = {}): Promise<Migration> {
  const { move = false, cursor, onProgress, pageSize = 100, clock = Date.now } = options
  if (!from.scan) throw new TypeError('migrate: the old store has no scan; nobody can tell what is in it.')
  const stores = { from, to }
  const bring = move
    ? (key: string, _: Stored, now: number) => moveEntry(stores, key, now)
    : async (key: string, entry: Stored, now: number) => {
        const copy = await copyEntry(stores, key, entry, now)
        if (copy) return copy
        throw new BinsError('STORE_FAILED', 'The new store does not keep what is written.')
      }
  let seen = 0
  let tally = openTally()
  for await (const { entries, now, next } of pagesOf(from, clock, pageSize, cursor)) {
    await Promise.all(
      entries.map(async ([key, entry]) => tally.add(key, entry, await bring(key, entry, now))),
    )
    seen += entries.length
    onProgress?.({ seen, ...(next !== undefined && { cursor: next }) })
  }
  let late = 0
  // What has moved was compared as it moved.
  if (!move) tally = openTally()
  for await (const { entries, now } of pagesOf(from, clock, pageSize)) {
    await Promise.all(
      entries.map(async ([key, entry]) => {
        const found = move ? undefined : await to.read(key, { now, fresh: true })
        const isLate = !found || found.version < entry.version
        if (isLate) late += 1
        tally.add(key, entry, isLate ? await bring(key, entry, now) : found)
      }),
    )
  }
  await dropMarks(stores, clock, pageSize)
  return { ...tally.sum(), late }
}

/** Counts what is in both stores, and adds up the digests of each. */
function openTally() {
  let [count, before, after] = [0, 0n, 0n]
  return {
    add(key: string, entry: Stored, copy: Stored | undefined): void {
      // Deleted, or written again, meanwhile.
      if (!copy) return
      count += 1
      if (copy.version !== entry.version) return
      before += digestOf(key, entry)
      after += digestOf(key, copy)
    },

    sum(): { count: number; digest: string } {
      if (before !== after) throw new BinsError('STORE_FAILED', 'The two stores differ; begin anew.')
      return { count, digest: BigInt.asUintN(256, after).toString(16).padStart(64, '0') }
    },
  }
}

/** Pages of the live entries of a store that have not moved. */
async function* pagesOf(store: Store, clock: () => number, pageSize: number, from?: string) {
  let cursor = from
  do {
    const page = await store.scan?.(cursor, pageSize)
    const now = clock()
    const entries = page?.entries.filter(([, entry]) => entry.expires > now && !isMoved(entry)) ?? []
    cursor = page?.cursor
    yield { entries, now, next: cursor }
  } while (cursor !== undefined)
}

/** Deletes what deletions, and moves in the other direction, have left in the new store: it would be read as a record. */
async function dropMarks(move: Move, clock: () => number, pageSize: number): Promise<void> {
  const { from, to } = move
  let cursor: string | undefined
  do {
    const page = await to.scan?.(cursor, pageSize)
    const marks = page?.entries.filter(([, entry]) => isMoved(entry)) ?? []
    await Promise.all(
      marks.map(async ([key, left]) => {
        const mark = await from.read(key, { now: clock(), fresh: true })
        const isRaised = !mark || !isMoved(mark) || (await raiseMark(move, key, mark, left))
        if (isRaised) await to.delete(key, left.version)
      }),
    )
    cursor = page?.cursor
  } while (cursor !== undefined)
}

function digestOf(key: string, { version, text, expires }: Stored): bigint {
  const content = JSON.stringify([key, version, expires === Infinity ? null : expires, text])
  return BigInt(`0x${createHash('sha256').update(content).digest('hex')}`)
}
