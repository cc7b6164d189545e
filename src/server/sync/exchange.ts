import { parseBase64url } from '../../core/base64url.ts'
import { toOwnText } from '../../core/definition/bin-text.ts'
import type { Consent } from '../../core/definition/consent.ts'
import { BinsError } from '../../core/error.ts'
import { report } from '../../core/event.ts'
import { BARE_AGE, MAX_BIN_BYTES } from '../../core/limits.ts'
import { apply, type Op, type OpResult } from '../../core/sync/apply-edits.ts'
import { type BinsRecord, liveUntil } from '../../core/sync/record.ts'
import { renewRows } from '../../core/sync/renewal.ts'
import {
  type AnswerPart,
  fromCursor,
  PROTOCOL,
  type RequestPart,
  type SyncAnswer,
  type SyncRequest,
  toCursor,
  type UnknownUser,
  type WireOp,
  type WireResult,
  type WrongOwner,
} from '../../core/sync/wire.ts'
import { gone, unreadableRecord } from '../errors.ts'
import { openJar } from '../http/cookie-jar.ts'
import type { RequestHead } from '../http/request-head.ts'
import { visitorTag } from '../identity/token.ts'
import { userTag } from '../identity/user.ts'
import { consentOf } from '../owner/consent.ts'
import { openOwner, type RequestOwner } from '../owner/owner.ts'
import type { ServerParts } from '../parts.ts'
import { changesSince, tellRow } from '../records/changes.ts'
import { newMark } from '../records/new-record.ts'
import { isUserPlace, userPlace } from '../records/record-ref.ts'
import { opsOf } from './wire-schema.ts'

/** Most characters of base64url that a bin's text can have. */
const MAX_CODED_LENGTH = Math.ceil((MAX_BIN_BYTES * 4) / 3)

/** What came of looking at an op before the record: the op to apply, or its refusal. */
type Checked = { readonly op: Op } | { readonly refused: WireResult }

interface Sync extends RequestOwner {
  readonly parts: ServerParts
  readonly consent: Consent
}

/**
 * Exchanges ops and changes.
 *
 * @returns The answer, and the `Set-Cookie` lines that go with it.
 */
export async function exchange(
  parts: ServerParts,
  head: RequestHead,
  request: SyncRequest,
): Promise<{ answer: SyncAnswer | WrongOwner | UnknownUser; lines: string[] }> {
  const jar = openJar(head, parts.definitions.cookie)
  const owner = openOwner(parts, jar, { head, canSetCookie: () => true })
  await owner.load()
  if (owner.visitor.isUnreadable) throw unreadableRecord()
  const sync = { parts, consent: consentOf(parts, head), ...owner }
  const answer = await answerOwner(sync, request)
  const lines = [...jar.changes.values()].map(({ line }) => line).filter((line) => line !== undefined)
  return { answer, lines }
}

async function answerOwner(sync: Sync, request: SyncRequest): Promise<SyncAnswer | WrongOwner | UnknownUser> {
  const { token } = sync.visitor
  const isAboutUser = request.parts.some(({ owner }) => owner === 'user')
  if (isAboutUser && sync.user.key === undefined) return { error: 'unknown-user' }
  return token ? answerVisitor(sync, visitorTag(token), request) : answerNobody(sync, request)
}

async function answerVisitor(
  sync: Sync,
  tag: string,
  request: SyncRequest,
): Promise<SyncAnswer | WrongOwner> {
  const user = userTagOf(sync)
  const tagOf = ({ owner }: RequestPart) => (owner === 'user' ? user : tag)
  const isMistaken = request.parts.some((part) => part.tag !== tagOf(part))
  sync.records.presentAgain({ always: isMistaken })
  if (isMistaken) return { error: 'wrong-owner', tag, user }
  const parts: AnswerPart[] = []
  for (const part of request.parts) parts.push(await answerPart(sync, part.tag ?? '', request.client, part))
  return { v: PROTOCOL, parts }
}

/** Tag of the user whose bins the visitor gets. */
function userTagOf({ user, visitor }: Sync): string | null {
  return typeof user.key === 'string' && visitor.record?.user === user.key ? userTag(user.key) : null
}

/**
 * Ops are accepted only under a cookie that the browser has sent back. Without one nothing is applied: a bare head is
 * made, to be filled by the second try.
 */
async function answerNobody(
  { parts: { clock }, visitor, user, records }: Sync,
  request: SyncRequest,
): Promise<SyncAnswer | WrongOwner> {
  const { erased } = visitor
  if (erased && request.parts.every(({ tag }) => tag === erased.tag)) {
    const age = clock() - erased.at
    return { v: PROTOCOL, parts: request.parts.map(({ store }) => erasedPart(store, erased.tag, age)) }
  }
  const present = user.key ? userTag(user.key) : null
  if (request.parts.some(({ owner, tag }) => tag !== (owner === 'user' ? present : null))) {
    return { error: 'wrong-owner', tag: null, user: present }
  }
  if (opsOf(request).length === 0 && present === null) return { v: PROTOCOL, parts: [] }
  visitor.mint()
  await records.extend(clock() + BARE_AGE)
  return { v: PROTOCOL, parts: [], minted: true }
}

function erasedPart(store: string, tag: string, erased: number): AnswerPart {
  return { store, tag, cursor: toCursor(undefined), results: [], changes: [], erased }
}

async function answerPart(sync: Sync, tag: string, client: string, part: RequestPart): Promise<AnswerPart> {
  const { parts, visitor, records } = sync
  const { definitions, clock, random } = parts
  const place = part.owner === 'user' ? userPlace(part.store) : part.store
  const checked = part.ops.map((wire) => check(sync, part, wire))
  const ops = checked.flatMap((one) => ('op' in one ? [one.op] : []))
  const { session } = visitor
  const applied =
    ops.length === 0
      ? { record: await renewed(sync, place, await pull(sync, place)), results: [] }
      : await records.change(place, (record) =>
          apply(record, ops, {
            find: definitions.find,
            client,
            session,
            now: clock(),
            mark: newMark(random),
            isBehind: fromCursor(part.cursor, record) === undefined,
          }),
        )
  // The next try finds out what has become of the visitor.
  if (!applied) throw gone()
  visitor.presentSession()
  // What was edited before the login, and comes after it.
  if (part.owner === 'visitor' && ops.some(({ bin }) => definitions.find(bin).scope === 'user'))
    await owed(sync)
  return toAnswer(sync, { tag, part, checked, ...applied })
}

/** A store may have nothing of the visitor yet; the default store has. */
async function pull({ parts, visitor, records }: Sync, place: string): Promise<BinsRecord | undefined> {
  const record = await records.readFresh(place)
  if (!record && place === 'default') throw gone()
  // The browser knows its user by the visitor's cookies: they must live as long as what is the user's.
  const until = record && isUserPlace(place) ? liveUntil(record, parts.clock()) : 0
  if (until > (visitor.record?.cookieUntil ?? 0)) await records.extend(until)
  return record
}

/** What a page pulls is read there. */
async function renewed(
  { parts, visitor, records }: Sync,
  place: string,
  record: BinsRecord | undefined,
): Promise<BinsRecord | undefined> {
  const { definitions, clock, random } = parts
  const { knows, find } = definitions
  const renew = (present: BinsRecord) => {
    const visible = [...present.bins.keys()].filter((name) => knows(name) && find(name).browser !== 'none')
    const { session } = visitor
    return renewRows(present, visible, { find, now: clock(), mark: newMark(random), session })
  }
  if (!record || renew(record) === record) return record
  return (await records.change(place, (present) => ({ record: renew(present) })))?.record ?? record
}

/** Hands the user who is logged in what is the user's. */
async function owed(sync: Sync): Promise<void> {
  if (userTagOf(sync) !== null) await sync.attachment.merge()
}

/** Validates an op as data from anybody. */
function check({ parts, visitor, consent }: Sync, { owner, store }: RequestPart, wire: WireOp): Checked {
  const { definitions, onEvent } = parts
  const { n, bin, base, text: coded, strict, age, sv, also } = wire
  const refused = (state: WireResult['state'], issues?: WireResult['issues']): Checked => ({
    refused: { n, bin, state, seen: 0, ...(issues ? { issues } : {}) },
  })
  const definition = definitions.knows(bin) ? definitions.find(bin) : undefined
  const isWritable = definition?.storage === 'server' && definition.browser === 'write'
  // The visitor may have a user's bins, too, as long as nobody is logged in.
  const isPlaced = definition?.store === store && (owner === 'visitor' || definition.scope === 'user')
  if (!isWritable || !isPlaced) return refused('denied')
  const options = { ...(strict ? { strict } : {}), ...(also ? { also } : {}) }
  const op = { n, bin, base, age, version: definition.version, ...options }
  if (coded === undefined) return { op }
  if (!consent.allows(definition)) return refused('denied')
  if (sv > definition.version) return refused('outdated')
  if (coded.length > MAX_CODED_LENGTH) return refused('too-large')
  const sent = parseBase64url(coded)
  if (sent === undefined) return refused('invalid', [{ message: 'the text is no base64url of UTF-8' }])
  try {
    const text = toOwnText(definition, { text: sent, version: sv })
    if (definition.maxAge === 'session') visitor.startSession()
    return { op: { ...op, text } }
  } catch (cause) {
    if (cause instanceof BinsError) return refused('invalid', cause.issues.map(toWireIssue))
    // The schema or the migration gave up on it, and would do so each time.
    report(onEvent, { type: 'sync-failed', cause })
    return refused('invalid', [{ message: 'the data cannot be checked' }])
  }
}

interface Applied {
  readonly tag: string
  readonly part: RequestPart
  readonly checked: readonly Checked[]
  /** The record as it is now, if there is one. */
  readonly record: BinsRecord | undefined
  /** What became of the ops that were not refused, in their order. */
  readonly results: readonly OpResult[]
}

function toAnswer({ parts, visitor }: Sync, { tag, part, checked, record, results }: Applied): AnswerPart {
  const { store } = part
  const telling = { ...parts, store, session: visitor.session, now: parts.clock() }
  const since = record && fromCursor(part.cursor, record)
  const written = new Set(results.filter(({ state }) => state === 'ok').map(({ bin }) => bin))
  const applied = results.values()
  return {
    store,
    tag,
    cursor: toCursor(record),
    results: checked.map((one) => {
      if ('refused' in one) return one.refused
      // Every op that was not refused has a result.
      const { row, ...result } = applied.next().value as OpResult
      return { ...result, ...(row ? tellRow(row, telling) : {}) }
    }),
    changes: changesSince(record, since ?? 0, telling).filter(({ bin }) => !written.has(bin)),
    ...(since === undefined ? { reset: true } : {}),
  }
}

function toWireIssue({ message, path }: BinsError['issues'][number]): { message: string; path?: string[] } {
  return {
    message,
    ...(path ? { path: path.map((key) => String(typeof key === 'object' ? key.key : key)) } : {}),
  }
}
