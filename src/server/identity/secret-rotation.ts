import type { BinsRecord, FormerSecret } from '../../core/sync/record.ts'
import { MAX_DEVICES, withCookieEnds } from './devices.ts'
import { hashSecret, isSameHash, type Token } from './token.ts'

/** What a token is to a record that it opens, or once did. */
export type Standing =
  /** It is the one that was given out last, to its device. */
  | { readonly kind: 'current' }
  /**
   * Another one was given out since. `replaced`: nobody has come with that, and the response may have got lost;
   * `superseded`: it is in use, and requests that were under way then still have this one; `retired`: this one opens
   * nothing any more.
   */
  | { readonly kind: 'replaced' | 'superseded' | 'retired'; readonly former: FormerSecret }

/** Secrets that a record remembers of each device. */
const MAX_FORMER = 4

/** How long a secret works on once its successor was used, in ms: requests that were under way still have it. */
const GRACE_MS = 30_000

/** After how long nothing is under way any more that was asked before a secret was replaced, in ms. */
export const LOST_MS = 60_000

/** What a token is to a record; `undefined` if it never opened it. Takes the same time whatever it is. */
export function standingOf({ secret }: Token, record: BinsRecord, now: number): Standing | undefined {
  const { secrets, former = [] } = record
  const hash = hashSecret(secret)
  let standing: Standing | undefined
  for (const one of former) {
    if (isSameHash(one.hash, hash)) standing = { kind: kindOf(one, now), former: one }
  }
  for (const one of secrets) if (isSameHash(one, hash)) standing = { kind: 'current' }
  return standing
}

function kindOf({ until }: FormerSecret, now: number): 'replaced' | 'superseded' | 'retired' {
  if (until === undefined) return 'replaced'
  return until > now ? 'superseded' : 'retired'
}

/**
 * Replaces the secret that a request came with, unless another request has done so. Other devices keep theirs, unless
 * somebody has logged in.
 *
 * @param options.login Key of the user who has just logged in: the only one for whom the former secrets, and those of
 * other devices, work on.
 * @returns `undefined` if another one has replaced it, or it is not to be relied on any more.
 */
export function replaceSecret(
  record: BinsRecord,
  { token, next, now, login }: { token: Token; next: Token; now: number; login?: string | undefined },
): BinsRecord | undefined {
  const place = placeOf(token, record, now)
  if (!place) return undefined
  const options = { ...place, next: hashSecret(next.secret), now }
  return login === undefined ? succeed(record, options) : succeedAll(record, options, login)
}

/** Which secret takes which place. All of them are hashes. */
export interface Succession {
  /** The present secret of the device; `undefined` = it has none. */
  readonly current: string | undefined
  /** What its request came with. */
  readonly presented: string
  /** The next one. */
  readonly next: string
  /** The present, in ms since the Unix epoch. */
  readonly now: number
}

/** Gives the place of a secret to the next one, or a place of its own; `undefined` if there are too many devices. */
export function succeed(record: BinsRecord, { current, presented, next, now }: Succession) {
  const { secrets, former = [] } = record
  if (current === undefined && secrets.length >= MAX_DEVICES) return undefined
  const isOwn = isOf({ current, presented })
  const replaced = current === undefined ? [] : [{ hash: current, at: now, by: current }]
  const rotated: BinsRecord = {
    ...record,
    secrets:
      current === undefined ? [...secrets, next] : secrets.map((one) => (one === current ? next : one)),
    former: bounded(
      [...former, ...replaced].map((one) => (isOwn(one) ? { ...one, by: next } : one)),
      presented,
    ),
  }
  return withCookieEnds(rotated, record, next)
}

/** Of all devices, the one on which a user has logged in stays: whoever has another one may be somebody else. */
function succeedAll(
  { revoked: _, links: __, cookieEnds: ___, former = [], ...record }: BinsRecord,
  { current, presented, next, now }: Succession,
  user: string,
): BinsRecord {
  const isOwn = isOf({ current, presented })
  const replaced = record.secrets.map((hash): FormerSecret => ({ hash, at: now, by: hash }))
  const ended = [...former, ...replaced]
    // Whom another user's login has ended is over for this one, too.
    .filter((one) => isOwn(one) || one.by !== undefined || one.user === user)
    .map(({ by, ...one }) => ({ ...one, ...(isOwn({ by, ...one }) ? { by: next } : {}), user }))
  return { ...record, secrets: [next], former: bounded(ended, presented), user }
}

/** The place that a request's secret has among those of the record; `undefined` if no other is to take it now. */
function placeOf(
  token: Token,
  record: BinsRecord,
  now: number,
): Pick<Succession, 'current' | 'presented'> | undefined {
  const standing = standingOf(token, record, now)
  const presented = hashSecret(token.secret)
  if (standing?.kind === 'current') return { current: presented, presented }
  if (standing?.kind !== 'replaced') return undefined
  const { by, at } = standing.former
  if (by === undefined) return { current: undefined, presented }
  return now - at >= LOST_MS ? { current: by, presented } : undefined
}

/** Whether a former secret is one of the same device. */
function isOf({ current, presented }: Pick<Succession, 'current' | 'presented'>) {
  return ({ hash, by }: { readonly hash: string; readonly by?: string | undefined }) =>
    current === undefined ? hash === presented : by === current
}

/** The present secret of the device that a token belongs to, by its hash; that of the token if the record knows no other. */
export function deviceOf({ secret }: Token, { secrets, former = [] }: BinsRecord): string {
  const hash = hashSecret(secret)
  if (secrets.includes(hash)) return hash
  return former.find((one) => one.hash === hash)?.by ?? hash
}

/** Notes that somebody came with a secret that was given out last: the former ones of the same device are soon over. */
export function retireFormer(record: BinsRecord, { secret }: Token, now: number): BinsRecord {
  if (!record.former?.some(({ until }) => until === undefined)) return record
  const hash = hashSecret(secret)
  const isOver = ({ until, by }: FormerSecret) => until === undefined && by === hash
  if (!record.former.some(isOver)) return record
  return {
    ...record,
    former: record.former.map((one) => (isOver(one) ? { ...one, until: now + GRACE_MS } : one)),
  }
}

/**
 * Keeps the last ones of each device, and of those that a login has ended, one for each that there may have been.
 *
 * @param presented The one that its browser still has, by its hash: however many answers get lost, it is not let go of.
 */
function bounded(former: readonly FormerSecret[], presented: string): FormerSecret[] {
  const counts = new Map<string | undefined, number>()
  const isPresented = ({ hash }: FormerSecret) => hash === presented
  return [...former.filter((one) => !isPresented(one)), ...former.filter(isPresented)]
    .reverse()
    .filter(({ by }) => {
      const count = (counts.get(by) ?? 0) + 1
      counts.set(by, count)
      return count <= (by === undefined ? MAX_DEVICES : MAX_FORMER)
    })
    .reverse()
}
