import type { Definition } from '../definition/definition.ts'
import { SESSION_IDLE } from '../limits.ts'
import { type BinsRecord, isLive, mark, nextSeq, type Row } from './record.ts'

/** Part of its lifetime that has to be over before reading a bin starts it anew: not every read is to be a write. */
const SHARE = 0.1

/** How long a bin lives, in ms. */
export function lifetimeOf({ maxAge }: Pick<Definition, 'maxAge'>): number {
  return (maxAge === 'session' ? SESSION_IDLE : maxAge) * 1_000
}

/**
 * Whether a bin that is read starts its lifetime anew.
 *
 * @param expires When it expires, in ms since the Unix epoch.
 */
export function isRenewedByReading(definition: Definition, expires: number, now: number): boolean {
  return definition.renew === 'read' && expires > now && expires - now < lifetimeOf(definition) * (1 - SHARE)
}

/** Circumstances of {@link renewRows}. */
export interface RenewOptions {
  /** Definition of a bin. */
  readonly find: (name: string) => Definition
  /** The present, in ms since the Unix epoch. */
  readonly now: number
  /** 32 fresh random bits. */
  readonly mark: string
  /** The browser session, if one is known. */
  readonly session?: string | undefined
}

/** Starts the lifetimes of bins anew that are read now. Nobody's edit conflicts with that. The same record if none is due. */
export function renewRows(
  record: BinsRecord,
  names: Iterable<string>,
  { find, now, mark: fresh, session }: RenewOptions,
): BinsRecord {
  const seq = nextSeq(record, now)
  const renewed = new Map<string, Row>()
  for (const name of names) {
    const row = record.bins.get(name)
    if (!isLive(row, now, session) || !isRenewedByReading(find(name), row.expires, now)) continue
    renewed.set(name, { ...row, touched: seq, expires: now + lifetimeOf(find(name)) })
  }
  if (renewed.size === 0) return record
  return mark({ ...record, seq, bins: new Map([...record.bins, ...renewed]) }, fresh)
}
