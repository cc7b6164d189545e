import { type BinsRecord, createRecord } from '../core/record.ts'
import type { ServerParts } from './parts.ts'

/** The random part of a change's number. */
export function freshMark(random: (bytes: number) => Buffer): string {
  return random(4).toString('base64url')
}

/** A record that was never kept. */
export function freshRecord({ random, clock }: Pick<ServerParts, 'random' | 'clock'>): BinsRecord {
  return createRecord({ epoch: random(9).toString('base64url'), mark: freshMark(random), now: clock() })
}
