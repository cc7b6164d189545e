import type { Store, Stored } from '../stores/store.ts'

/** The two stores of a move. */
export interface Move {
  /** Where the entries were. */
  readonly from: Store
  /** Where they go. */
  readonly to: Store
}

/** A change of the mark of a key. */
export interface MarkChange {
  /** Lowest version that counts in the new store: what was deleted is below it, and no late copy brings it back. */
  readonly since?: number
  /** Version that the old store has; 0 if it has none. */
  readonly expected: number
  /** The present, in ms since the Unix epoch. */
  readonly now: number
}

/**
 * What is left of an entry that has moved, or was deleted. No record begins like this. In the old store it says that
 * the new one is to be asked; in the new store, that nothing is there.
 */
const MARK = /^\{"moved":true(?:,"since":(\d+))?\}$/

/** Marks have versions that no record has, so that who deletes a mark by its version never hits a record. */
export const GAP = 2 ** 50

/** Whether an entry is a mark. */
export function isMoved({ text }: Stored): boolean {
  return MARK.test(text)
}

/** Lowest version that a mark lets count in the new store. */
export function sinceOf({ text }: Stored): number {
  return Number(MARK.exec(text)?.[1] ?? 0)
}

/** What was found in the new store, if it is an entry that counts by the mark in the old one. */
export function countedOf(found: Stored | undefined, mark: Stored | undefined): Stored | undefined {
  if (!found || isMoved(found)) return undefined
  return mark && found.version < sinceOf(mark) ? undefined : found
}

/** A mark that takes the place of an entry, or of another mark, for as long as that would be there. */
export function markOf({ version, expires }: Stored, since = 0): Stored {
  const text = since > 0 ? `{"moved":true,"since":${since}}` : '{"moved":true}'
  return {
    version: Math.min(version < GAP ? version + GAP : version + 1, Number.MAX_SAFE_INTEGER),
    text,
    expires,
  }
}

/**
 * Says in the old store that an entry is in the new one, or was deleted.
 *
 * @returns `false` if the old store has another version than `expected`.
 */
export function markMoved({ from }: Move, key: string, entry: Stored, change: MarkChange): Promise<boolean> {
  const { since = 0, expected, now } = change
  return from.write(key, markOf(entry, since), expected, now)
}
