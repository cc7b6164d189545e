import { BinsError } from '../../core/error.ts'
import type { Store, Stored } from '../store.ts'

/** The two stores of a move. */
export interface Move {
  /** Where the entries were. */
  readonly from: Store
  /** Where they go. */
  readonly to: Store
}

/** What is left of an entry that has moved. No record reads like this. */
const MOVED = '{"moved":true}'

/** Each attempt but the first follows a change by somebody else. */
const MAX_ATTEMPTS = 1_000

/** Whether an entry says that it has moved. */
export function isMoved({ text }: Stored): boolean {
  return text === MOVED
}

/**
 * Says in the old store that an entry is in the new one, for as long as it would be there.
 *
 * @param expected Version that the old store has; 0 if it has none.
 * @returns `false` if it has another one.
 */
export function markMoved(
  move: Move,
  key: string,
  entry: Stored,
  expected: number,
  now: number,
): Promise<boolean> {
  const version = Math.max(entry.version, expected + 1)
  return move.from.write(key, { version, text: MOVED, expires: entry.expires }, expected, now)
}

/**
 * Copies an entry as it is, unless a newer one is there.
 *
 * @returns What is in the new store then, as it was read; `undefined` if it is gone already.
 * @throws {@link BinsError} `STORE_FAILED` if it is not what was written.
 */
export async function copyEntry(
  { to }: Move,
  key: string,
  entry: Stored,
  now: number,
): Promise<Stored | undefined> {
  let isWritten = false
  for (;;) {
    const found = await to.read(key, { now, fresh: true })
    if (found && isMoved(found)) {
      // Left by a move in the other direction.
      await to.delete(key, found.version)
      continue
    }
    if (found && found.version > entry.version) return found
    if (found?.version === entry.version) return checkCopy(entry, found)
    if (isWritten) return undefined
    isWritten = await to.write(key, entry, found?.version ?? 0, now)
  }
}

/**
 * Moves an entry, if it is in the old store: copies it, then says so where it was. Until that is said, the old store has
 * the last word, so a write that comes in between is not lost: the entry is copied once more.
 *
 * @returns What is in the new store then; `undefined` if there was nothing to move.
 */
export async function moveEntry(move: Move, key: string, now: number): Promise<Stored | undefined> {
  const { from, to } = move
  let copied: Stored | undefined
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const entry = await from.read(key, { now, fresh: true })
    if (!entry || isMoved(entry)) {
      // It was deleted while it was copied; the copy would bring it back.
      if (!entry && copied) await to.delete(key, copied.version)
      return entry && copied
    }
    copied = await copyEntry(move, key, entry, now)
    if (copied && (await markMoved(move, key, entry, entry.version, now))) return copied
  }
  throw new BinsError(
    'STORE_FAILED',
    'The new store does not keep what is written, or others keep changing it.',
  )
}

function checkCopy(entry: Stored, copy: Stored): Stored {
  if (copy.text === entry.text && copy.expires === entry.expires) return copy
  throw new BinsError('STORE_FAILED', 'A copy is not what was written; the new store is not to be trusted.')
}
