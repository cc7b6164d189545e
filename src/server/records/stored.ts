import { BARE_AGE, EMPTY_AGE, ERASED_AGE } from '../../core/limits.ts'
import { type BinsRecord, liveUntil } from '../../core/sync/record.ts'
import { formatRecord } from '../../core/sync/record-text.ts'
import type { Stored } from '../../stores/store.ts'

/**
 * What a store gets of a record.
 *
 * @param expected The version that it replaces; 0 = there is none.
 */
export function toStored(record: BinsRecord, expected: number, now: number): Stored {
  return {
    version: Math.max(expected + 1, now),
    text: formatRecord(record),
    expires: expiresOf(record, now),
  }
}

/** A record is kept as long as anything needs it: a bin in it, or the cookie, under which other stores have bins too. */
function expiresOf(record: BinsRecord, now: number): number {
  if (record.erased !== undefined) return record.erased + ERASED_AGE
  const least = now + leastAge(record)
  return Math.max(liveUntil(record, now), record.cookieUntil, least)
}

/** A record without data is kept for late writes; a user's also for the visitors that it knows, or has forgotten. */
function leastAge({ bins, visitors, forgotten }: BinsRecord): number {
  if (visitors || forgotten !== undefined) return ERASED_AGE
  return bins.size === 0 ? BARE_AGE : EMPTY_AGE
}
