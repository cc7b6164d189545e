import { BinsError } from '../core/error.ts'
import type { Stored } from '../stores/store.ts'
import { isMoved, type Move, markMoved, sinceOf } from './mark.ts'

/** Each attempt but the first follows a change by somebody else. */
const MAX_ATTEMPTS = 1_000

/**
 * Copies an entry as it is, unless a newer one is there.
 *
 * @returns What is in the new store then, as it was read; `undefined` if it is gone already, or has moved.
 * @throws {@link BinsError} `STORE_FAILED` if it is not what was written.
 */
export async function copyEntry(
  { from, to }: Move,
  key: string,
  entry: Stored,
  now: number,
): Promise<Stored | undefined> {
  let isWritten = false
  for (;;) {
    const found = await to.read(key, { now, fresh: true })
    if (found && isMoved(found)) {
      const old = await from.read(key, { now, fresh: true })
      // Left by a deletion after somebody else had moved it.
      if (!old || isMoved(old)) return undefined
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
      if (!copied || (entry && copied.version >= sinceOf(entry))) return copied
      // It was deleted while it was copied; the copy would bring it back.
      await to.delete(key, copied.version)
      return undefined
    }
    copied = await copyEntry(move, key, entry, now)
    if (copied && (await markMoved(move, key, entry, { expected: entry.version, now }))) return copied
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
