import type { BinsRecord, Link } from '../../core/sync/record.ts'
import { addDevice } from './devices.ts'
import { succeed } from './secret-rotation.ts'
import { hashSecret, isSameHash, type Token } from './token.ts'

/** Links of one visitor that can be used at a time. */
const MAX_LINKS = 4

/** Notes a link; the oldest one goes if there are too many. */
export function addLink(record: BinsRecord, link: Link, now: number): BinsRecord {
  const links = (record.links ?? []).filter(({ until }) => until > now)
  return { ...record, links: [...links, link].slice(-MAX_LINKS) }
}

/**
 * Finds the link that a token is of. Takes the same time whatever it is.
 *
 * @param options.by Public name of the visitor that the device was before: it alone finds the one that it has used.
 * @returns `undefined` if it opens nothing, has been used by somebody else, or is over.
 */
export function findLink(
  { secrets, links = [] }: BinsRecord,
  { secret }: Token,
  { by, now }: { by: string | undefined; now: number },
): Link | undefined {
  const hash = hashSecret(secret)
  let found: Link | undefined
  for (const link of links) {
    const { used, until } = link
    const isOpen = until > now && (!used || (used.by === by && secrets.includes(used.secret)))
    if (isSameHash(link.hash, hash) && isOpen) found = link
  }
  return found
}

/** Takes a link out of a record. */
export function dropLink(record: BinsRecord, { hash }: Link): BinsRecord {
  const { links = [], ...rest } = record
  const others = links.filter((link) => link.hash !== hash)
  return others.length === 0 ? rest : { ...rest, links: others }
}

/**
 * Lets another device in, by a link that is used up with that. Where the device was another visitor before, it can use the
 * link once more, since the answer may get lost, and gets another secret in place of the first one.
 *
 * @param options.next The secret of the device, by its hash.
 * @param options.by Public name of the visitor that it was before.
 * @returns `undefined` if there are too many devices.
 */
export function admit(
  record: BinsRecord,
  link: Link,
  { next, by, now }: { next: string; by: string | undefined; now: number },
): BinsRecord | undefined {
  const given = link.used?.secret
  const admitted =
    given === undefined
      ? addDevice(record, next, now)
      : succeed(record, { current: given, presented: given, next, now })
  if (!admitted) return undefined
  const left = dropLink(admitted, link)
  if (by === undefined) return left
  return { ...left, links: [...(left.links ?? []), { ...link, used: { by, secret: next } }] }
}
