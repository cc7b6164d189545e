import type { BinsRecord, FormerSecret } from '../core/record.ts'
import { hashSecret, isSameHash, type Token } from './token.ts'

/** What a token is to a record that it opens, or once did. */
export type Standing =
  /** It is the one that was given out last. */
  | { readonly kind: 'current' }
  /**
   * Another one was given out since. `replaced`: nobody has come with that, and the response may have got lost;
   * `superseded`: it is in use, and requests that were under way then still have this one; `retired`: this one opens
   * nothing any more.
   */
  | { readonly kind: 'replaced' | 'superseded' | 'retired'; readonly former: FormerSecret }

/** Secrets that a record remembers. */
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
 * Replaces the secret that a request came with, unless another request has done so.
 *
 * @param options.login Key of the user who has just logged in: the only one for whom the former secrets work on.
 * @returns `undefined` if another one has replaced it, or it is not to be relied on any more.
 */
export function replaceSecret(
  record: BinsRecord,
  { token, next, now, login }: { token: Token; next: Token; now: number; login?: string | undefined },
): BinsRecord | undefined {
  const standing = standingOf(token, record, now)
  const isLost = standing?.kind === 'replaced' && now - standing.former.at >= LOST_MS
  if (standing?.kind !== 'current' && !isLost) return undefined
  const replaced = record.secrets.map((hash): FormerSecret => ({ hash, at: now }))
  const former = [...(record.former ?? []), ...replaced].slice(-MAX_FORMER)
  const rotated = { ...record, secrets: [hashSecret(next.secret)], former }
  if (login === undefined) return rotated
  const { revoked: _, ...rest } = rotated
  return { ...rest, user: login, former: former.map((one) => ({ ...one, user: login })) }
}

/** Notes that somebody came with the secret that was given out last: the others are soon over. */
export function retireFormer(record: BinsRecord, now: number): BinsRecord {
  if (!record.former?.some(({ until }) => until === undefined)) return record
  return { ...record, former: record.former.map((one) => ({ until: now + GRACE_MS, ...one })) }
}
