import { MAX_COOKIE_AGE } from '../../core/limits.ts'
import type { BinsRecord } from '../../core/sync/record.ts'

/** Most devices that are one visitor: each has a secret, and a cookie, of its own. */
export const MAX_DEVICES = 8

const DAY = 86_400_000

/** Part of the time to come by which a cookie outlives the bins, so that not every write has to renew it. */
const SLACK = 0.1

/** When the visitor cookie of a device ends, which has this secret, by its hash; in ms since the Unix epoch. */
export function cookieEnd({ cookieEnds, cookieUntil }: BinsRecord, secret: string): number {
  return cookieEnds?.[secret] ?? cookieUntil
}

/**
 * Notes until when the cookie of a device lives; the same record if the one that is there lives long enough.
 *
 * @param until When it may end at the earliest, in ms since the Unix epoch.
 * @param options.age The longest that a visitor lives, in ms.
 * @param options.secret The device's, by its hash.
 */
export function renewCookie(
  record: BinsRecord,
  until: number,
  { now, age, secret }: { now: number; age: number; secret: string },
): BinsRecord {
  const longest = Math.min(now + MAX_COOKIE_AGE * 1_000, record.created + age)
  const enough = longest - Math.min(DAY, (longest - now) * SLACK)
  if (cookieEnd(record, secret) >= Math.min(until, enough)) return record
  const slackened = Math.min(Math.round(until + (until - now) * SLACK), longest)
  const cookieUntil = Math.max(record.cookieUntil, slackened)
  return withCookieEnds({ ...record, cookieUntil, cookieAt: now }, record, secret)
}

/** Adds the secret of another device; `undefined` if there are too many. Whose cookie has ended is none any more. */
export function addDevice(record: BinsRecord, secret: string, now: number): BinsRecord | undefined {
  const secrets = record.secrets.filter((one) => cookieEnd(record, one) > now)
  if (secrets.length >= MAX_DEVICES) return undefined
  const isThere = (one: string | undefined) => one === undefined || secrets.includes(one)
  const former = record.former?.filter(({ by }) => isThere(by))
  const added = { ...record, secrets: [...secrets, secret], ...(former ? { former } : {}) }
  return withCookieEnds(added, record, secret)
}

/** Whether other devices have, or may soon have, a cookie of the same visitor. */
export function isShared({ secrets, links = [] }: BinsRecord, now: number): boolean {
  return secrets.length > 1 || links.some(({ until }) => until > now)
}

/**
 * Notes when the cookies of a record's devices end, as the record before says.
 *
 * @param longest Secret of the device whose cookie lives longest, by its hash.
 */
export function withCookieEnds(record: BinsRecord, before: BinsRecord, longest: string): BinsRecord {
  const { cookieEnds: _, ...rest } = record
  const ends = record.secrets
    .filter((secret) => secret !== longest)
    .map((secret) => [secret, cookieEnd(before, secret)] as const)
    .filter(([, end]) => end < record.cookieUntil)
  return ends.length === 0 ? rest : { ...rest, cookieEnds: Object.fromEntries(ends) }
}
