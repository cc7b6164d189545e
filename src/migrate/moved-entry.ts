import type { Stored } from '../stores/store.ts'
import { countedOf, GAP, isMoved, type Move, markMoved, markOf, sinceOf } from './mark.ts'

/** Arguments of a write, and the mark that the old store has. */
export interface MovedWrite {
  /** What to keep. */
  readonly next: Stored
  /** Version that was read; 0 creates. */
  readonly expected: number
  /** The present, in ms since the Unix epoch. */
  readonly now: number
  /** The mark, as it was read. */
  readonly mark: Stored
}

/**
 * Writes an entry whose mark is in the old store.
 *
 * @returns What `Store.write` does; `undefined` if the mark has changed meanwhile.
 */
export async function writeMoved(move: Move, key: string, write: MovedWrite): Promise<boolean | undefined> {
  const { to } = move
  const { next, expected, now, mark } = write
  if (expected > 0) {
    if (expected < sinceOf(mark)) return false
    return (await to.write(key, next, expected, now)) && !(await takeBack(move, key, write))
  }
  const found = await to.read(key, { now, fresh: true })
  if (!found || countedOf(found, mark)) {
    return (await to.write(key, next, 0, now)) && unveil(move, key, next, now)
  }
  // Whoever is about to raise the mark for a deletion finds that it has changed.
  const since = Math.min(sinceOf(mark), next.version)
  if (!(await markMoved(move, key, mark, { since, expected: mark.version, now }))) return undefined
  await to.delete(key, found.version)
  return (await to.write(key, next, 0, now)) && unveil(move, key, next, now)
}

/**
 * Deletes an entry whose mark is in the old store. A mark takes its place until the old store says that it does not
 * count any more: no copy that is on its way can come in between.
 *
 * @returns What `Store.delete` does; `undefined` if the entry has changed meanwhile.
 */
export async function deleteMoved(
  move: Move,
  key: string,
  mark: Stored,
  expected?: number,
): Promise<boolean | undefined> {
  const { to } = move
  // What has expired may be deleted too.
  const found = countedOf(await to.read(key, { now: 0, fresh: true }), mark)
  if (!found) return false
  if (expected !== undefined && found.version !== expected) return false
  // Above all times there is no room for a mark.
  if (found.version >= GAP) return to.delete(key, found.version)
  const since = found.version + 1
  const left = markOf(found, since)
  if (!(await to.write(key, left, found.version, 0))) return undefined
  if (await raiseMark(move, key, mark, left)) await to.delete(key, left.version)
  return true
}

/** Brings what a mark in the new store says into that of the old one. `false` if that has changed meanwhile. */
export async function raiseMark(move: Move, key: string, mark: Stored, left: Stored): Promise<boolean> {
  const since = sinceOf(left)
  if (since <= sinceOf(mark)) return true
  const expires = Math.max(mark.expires, left.expires)
  return markMoved(move, key, { ...mark, expires }, { since, expected: mark.version, now: 0 })
}

/** Takes a write back that has met a late copy of what was deleted since the mark was read; says whether it has. */
async function takeBack(
  { from, to }: Move,
  key: string,
  { next, expected, now }: MovedWrite,
): Promise<boolean> {
  const mark = await from.read(key, { now, fresh: true })
  const since = mark ? sinceOf(mark) : 0
  return since > expected && since <= next.version && to.delete(key, next.version)
}

/** Lets an entry count that has a lower version than one that was deleted, as clocks differ. */
async function unveil(move: Move, key: string, entry: Stored, now: number): Promise<true> {
  for (;;) {
    const mark = await move.from.read(key, { now, fresh: true })
    if (!mark || !isMoved(mark) || sinceOf(mark) <= entry.version) return true
    await markMoved(move, key, mark, { since: entry.version, expected: mark.version, now })
  }
}
