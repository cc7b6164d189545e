import { type BinsRecord, createRecord } from '../../core/sync/record.ts'

/** The random part of a change's number. */
export function newMark(random: (bytes: number) => Buffer): string {
  return random(4).toString('base64url')
}

/** A record that was never kept. */
export function newRecord({
  random,
  clock,
}: {
  readonly random: (bytes: number) => Buffer
  readonly clock: () => number
}): BinsRecord {
  return createRecord({ epoch: random(9).toString('base64url'), mark: newMark(random), now: clock() })
}
