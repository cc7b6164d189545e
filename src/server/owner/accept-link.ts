import { report } from '../../core/event.ts'
import { BARE_AGE } from '../../core/limits.ts'
import type { Op } from '../../core/sync/apply-edits.ts'
import type { BinsRecord } from '../../core/sync/record.ts'
import { type LinkRefusal, type LinkRequest, PROTOCOL, type UnknownUser } from '../../core/sync/wire.ts'
import { unmoved, unreadableRecord } from '../errors.ts'
import { openJar } from '../http/cookie-jar.ts'
import type { RequestHead } from '../http/request-head.ts'
import { isShared, renewCookie } from '../identity/devices.ts'
import { admit, dropLink, findLink } from '../identity/links.ts'
import { hashSecret, mintToken, parseToken, type Token, visitorKey, visitorTag } from '../identity/token.ts'
import type { ServerParts } from '../parts.ts'
import { newRecord } from '../records/new-record.ts'
import type { Step } from '../records/records.ts'
import { openOwner, type RequestOwner } from './owner.ts'
import { type Adoption, openAdoption } from './transfer.ts'

/** What came of a link: the device is the visitor now, or why not. */
export type LinkAnswer = { readonly v: number } | { readonly error: LinkRefusal } | UnknownUser

interface HandOver extends RequestOwner {
  readonly parts: ServerParts
  readonly adoption: Adoption
  /** The token of the link. */
  readonly token: Token
  /** Public name of the visitor that the device was before. */
  readonly former: string | undefined
  /** The same, if no other device is that visitor: by this it is known when it comes again. */
  readonly alone: string | undefined
}

/** What a visitor has in a store. */
interface Luggage {
  readonly store: string
  readonly ops: readonly Op[]
}

/**
 * Makes a device the visitor that a link is of.
 *
 * @returns The answer, and the `Set-Cookie` lines that go with it.
 * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`, `CONFLICT`, `GONE`: the same request may be sent again.
 */
export async function acceptLink(
  parts: ServerParts,
  head: RequestHead,
  request: LinkRequest,
): Promise<{ answer: LinkAnswer; lines: string[] }> {
  const jar = openJar(head, parts.definitions.cookie)
  const owner = openOwner(parts, jar, { head, canSetCookie: () => true })
  await owner.load()
  const { visitor } = owner
  if (visitor.isUnreadable) throw unreadableRecord()
  const token = parseToken(request.token)
  const former = visitor.token && visitorTag(visitor.token)
  const alone = visitor.record && isShared(visitor.record, parts.clock()) ? undefined : former
  const adoption = openAdoption(parts, { isIncluded: () => true, session: visitor.session })
  const answer = token
    ? await decide({ ...owner, parts, adoption, token, former, alone }, request.merge === true)
    : refused('gone')
  if ('error' in answer && answer.error === 'gone') report(parts.onEvent, { type: 'unknown-link' })
  const lines = [...jar.changes.values()].map(({ line }) => line).filter((line) => line !== undefined)
  return { answer, lines }
}

async function decide(handOver: HandOver, mayMerge: boolean): Promise<LinkAnswer> {
  const { parts, visitor, user, token, former } = handOver
  const { record } = await parts.records('default').find(visitorKey(token))
  if (record === 'unreadable') throw unreadableRecord()
  if (!record || !opens(handOver, record)) return refused('gone')
  if (user.key === undefined) return { error: 'unknown-user' }
  // As soon as the two devices differ in who is logged in, one of them is not the visitor any more.
  if (user.key !== (record.user ?? null)) return refused('other-user')
  if (visitor.token?.id === token.id) return spend(handOver)
  const luggage = former === undefined ? [] : await pack(handOver)
  if (luggage.length > 0 && !mayMerge) return refused('has-data')
  if (!(await fits(handOver, luggage))) return refused('cannot-merge')
  return moveIn(handOver, luggage)
}

/** Whether the link makes its bearer the visitor of a record. */
function opens({ parts, token, alone }: HandOver, record: BinsRecord): boolean {
  const now = parts.clock()
  const isOver = record.created + parts.visitorAge <= now
  return !isOver && findLink(record, token, { by: alone, now }) !== undefined
}

/** The device is this visitor already. */
async function spend({ parts, token }: HandOver): Promise<LinkAnswer> {
  const step = (record: BinsRecord | undefined): Step<boolean> => {
    const link = record && findLink(record, token, { by: undefined, now: parts.clock() })
    return link ? { next: dropLink(record, link), result: true } : { result: false }
  }
  const isFound = await parts.records('default').change(visitorKey(token), step, { fresh: true })
  return isFound ? { v: PROTOCOL } : refused('gone')
}

/** What the device's former visitor has. */
async function pack({ parts, records, adoption }: HandOver): Promise<Luggage[]> {
  const luggage: Luggage[] = []
  for (const store of parts.stores) {
    const record = await records.readFresh(store)
    const ops = record ? adoption.opsOf(record) : []
    if (ops.length > 0) luggage.push({ store, ops })
  }
  return luggage
}

/** Whether all of it finds room, so that nothing is left with a visitor that nobody is any more. */
async function fits(handOver: HandOver, luggage: readonly Luggage[]): Promise<boolean> {
  const { parts, token } = handOver
  for (const { store, ops } of luggage) {
    const record = await parts.records(store).read(visitorKey(token), { fresh: true })
    if (record === 'unreadable') throw unreadableRecord()
    if (!isAll(unpack(handOver, record ?? newRecord(parts), ops), ops)) return false
  }
  return true
}

function unpack({ adoption, former }: HandOver, record: BinsRecord, ops: readonly Op[]) {
  return adoption.adopt(record, ops, `v.${former}`)
}

function isAll({ done }: { done: readonly Op[] }, ops: readonly Op[]): boolean {
  return done.length === ops.length
}

/**
 * Lets the device in, then takes its bins along, and only then takes them away from where they were: whatever fails in
 * between, the device still is its former visitor, with its bins.
 */
async function moveIn(handOver: HandOver, luggage: readonly Luggage[]): Promise<LinkAnswer> {
  const { parts, visitor, records, adoption, token, alone } = handOver
  const before = visitor.token
  const next: Token = { ...mintToken(parts.random), id: token.id }
  const admitted = await letIn(handOver, next)
  if (typeof admitted === 'string') return refused(admitted)
  visitor.replace(next)
  visitor.record = admitted
  for (const { store, ops } of luggage) {
    const moved = await records.change(store, (record) => unpack(handOver, record, ops))
    // There was room a moment ago.
    if (!moved || !isAll(moved, ops)) throw unmoved()
  }
  // To other devices of the former visitor, they are theirs as well.
  if (before && alone !== undefined) {
    for (const { store, ops } of luggage) {
      await parts.records(store).change(visitorKey(before), (record) => {
        if (!record || record.erased !== undefined) return { result: undefined }
        return { next: adoption.remove(record, ops), result: undefined }
      })
    }
  }
  visitor.present(visitor.record)
  return { v: PROTOCOL }
}

/** Of all who come with a link at the same moment, one gets in. */
function letIn(handOver: HandOver, { secret }: Token): Promise<BinsRecord | LinkRefusal> {
  const { parts, token, alone } = handOver
  const { records, clock, visitorAge } = parts
  const step = (record: BinsRecord | undefined): Step<BinsRecord | LinkRefusal> => {
    const now = clock()
    const link = record && opens(handOver, record) && findLink(record, token, { by: alone, now })
    if (!link) return { result: 'gone' }
    const next = hashSecret(secret)
    const admitted = admit(record, link, { next, by: alone, now })
    if (!admitted) return { result: 'too-many-devices' }
    const until = Math.max(admitted.cookieUntil, now + BARE_AGE)
    const renewed = renewCookie(admitted, until, { now, age: visitorAge, secret: next })
    return { next: renewed, result: renewed }
  }
  return records('default').change(visitorKey(token), step, { fresh: true })
}

function refused(error: LinkRefusal): LinkAnswer {
  return { error }
}
