import { toOwnText } from '../core/data.ts'
import { BinsError } from '../core/error.ts'
import { report } from '../core/event.ts'
import { MAX_SYNC_BYTES } from '../core/limits.ts'
import { apply, type BinsRecord, isLive, type Op, type OpResult } from '../core/record.ts'
import {
  type AnswerPart,
  fromCursor,
  PROTOCOL,
  type RequestPart,
  type SyncAnswer,
  type SyncRequest,
  toCursor,
  toWireRow,
  type WireOp,
  type WireResult,
  type WrongOwner,
} from '../core/wire.ts'
import { isSameOrigin, type RequestHead, readHead } from './head.ts'
import { type Jar, openJar } from './jar.ts'
import { liveUntil } from './records.ts'
import { openRequest } from './request.ts'
import type { ServerParts } from './server.ts'
import { type Token, visitorKey, visitorTag } from './token.ts'
import { freshMark, newRecord, openVisitor, type RequestVisitor } from './visitor.ts'
import { opsOf, parseSyncRequest } from './wire-schema.ts'

/** What came of looking at an op before the record: the op to apply, or its refusal. */
type Checked = { readonly op: Op } | { readonly refused: WireResult }

interface Sync {
  readonly parts: ServerParts
  readonly jar: Jar
  readonly visitor: RequestVisitor
}

/** Answers requests to the sync endpoint: `POST {path}/sync` and `POST {path}/clear`. */
export async function answerSync(parts: ServerParts, request: Request): Promise<Response> {
  const { path } = parts.definitions
  const { pathname } = new URL(request.url)
  if (pathname !== `${path}/sync` && pathname !== `${path}/clear`) return refuse(404, 'not-found')
  if (request.method !== 'POST') return refuse(405, 'method', { allow: 'POST' })
  const head = readHead(request, parts.origin)
  if (!isSameOrigin(head)) return refuse(403, 'origin')
  if (!/^application\/json\s*(;|$)/i.test(head.header('content-type') ?? '')) return refuse(415, 'content-type')
  try {
    return pathname.endsWith('/clear') ? await clear(parts, head) : await sync(parts, head, request)
  } catch (cause) {
    if (cause instanceof BinsError && cause.code === 'TOO_LARGE') return refuse(413, 'too-large')
    report(parts.onEvent, { type: 'sync-failed', cause })
    return refuse(503, 'unavailable', { 'retry-after': '5' })
  }
}

async function clear(parts: ServerParts, head: RequestHead): Promise<Response> {
  const state = openRequest(parts, head)
  await state.clear()
  return state.save(answer({ v: PROTOCOL }))
}

async function sync(parts: ServerParts, head: RequestHead, request: Request): Promise<Response> {
  const body = parseSyncRequest(await readJson(request))
  if (!body) return refuse(400, 'malformed')
  if (body.parts.some(({ store }) => !storeNames(parts).has(store))) return refuse(400, 'store')

  const jar = openJar(head.cookies, head.secure, parts.definitions.cookie)
  const visitor = openVisitor(parts, jar, { isCrossSite: () => false })
  await visitor.load()
  const self = { parts, jar, visitor }
  const { token } = visitor
  if (!token) return answerNobody(self, body)
  const tag = visitorTag(token)
  if (body.parts.some((part) => part.tag !== tag)) return wrongOwner(tag)

  const answers: AnswerPart[] = []
  for (const part of body.parts) answers.push(await answerPart(self, token, body.client, part))
  return withCookies(jar, answer({ v: PROTOCOL, parts: answers } satisfies SyncAnswer))
}

/**
 * Ops are accepted only under a cookie that the browser has sent back. Without one nothing is applied: a bare head is
 * made, to be filled by the second try.
 */
async function answerNobody(self: Sync, body: SyncRequest): Promise<Response> {
  const { parts, jar, visitor } = self
  const { erased } = visitor
  if (erased?.erased !== undefined && body.parts.some(({ tag }) => tag !== null)) {
    const age = parts.clock() - erased.erased
    return answer({ v: PROTOCOL, parts: body.parts.map((part) => erasedPart(part, age)) } satisfies SyncAnswer)
  }
  if (body.parts.some(({ tag }) => tag !== null)) return wrongOwner(null)
  if (opsOf(body).length === 0) return answer({ v: PROTOCOL, parts: [] } satisfies SyncAnswer)
  const token = visitor.mint()
  const head = await parts.records('default').change(visitorKey(token), () => {
    const made = visitor.renew(visitor.createHead(token), parts.clock() + BARE_COOKIE_MS)
    return { next: made, result: made }
  })
  visitor.present(token, head.cookieUntil)
  return withCookies(jar, answer({ v: PROTOCOL, parts: [], minted: true } satisfies SyncAnswer))
}

/** How long the cookie of a visitor lives who has not written anything yet, in ms. */
const BARE_COOKIE_MS = 86_400_000

function erasedPart({ store, tag }: RequestPart, erased: number): AnswerPart {
  return { store, tag: tag ?? '', cursor: '', results: [], changes: [], erased }
}

async function answerPart(self: Sync, token: Token, client: string, part: RequestPart): Promise<AnswerPart> {
  const { parts, visitor } = self
  const { records, clock, random } = parts
  const checked = part.ops.map((wire) => check(self, part.store, wire))
  const ops = checked.flatMap((one) => ('op' in one ? [one.op] : []))
  const key = visitorKey(token)
  const isHead = part.store === 'default'
  if (ops.length === 0) {
    const record = await records(part.store).read(key, { fresh: true })
    return toAnswer(self, part, record ?? newRecord({ now: clock(), random, secrets: [] }), checked, [])
  }
  const { record, results, cookieUntil } = await records(part.store).change(key, (found) => {
    // The next try finds out what has become of the visitor.
    if (found?.erased !== undefined || (!found && isHead)) throw new BinsError('GONE', 'The visitor is gone.')
    const before = found ?? newRecord({ now: clock(), random, secrets: [] })
    const { find } = parts.definitions
    const { session } = visitor
    const applied = apply(before, ops, { find, client, session, now: clock(), mark: freshMark(random) })
    const next = isHead ? visitor.renew(applied.record, liveUntil(applied.record, clock())) : applied.record
    return {
      ...(next === found ? {} : { next }),
      result: {
        record: next,
        results: applied.results,
        cookieUntil: next.cookieUntil === before.cookieUntil ? undefined : next.cookieUntil,
      },
    }
  })
  if (isHead && cookieUntil !== undefined) visitor.present(token, cookieUntil)
  else if (!isHead) await renewHead(self, token, liveUntil(record, clock()))
  return toAnswer(self, part, record, checked, results)
}

/** Bins in another store live under the same cookie, which the record in the default store keeps account of. */
async function renewHead({ parts, visitor }: Sync, token: Token, until: number): Promise<void> {
  const cookieUntil = await parts.records('default').change(visitorKey(token), (found) => {
    if (!found || found.erased !== undefined) return { result: undefined }
    const next = visitor.renew(found, until)
    return next === found ? { result: undefined } : { next, result: next.cookieUntil }
  })
  if (cookieUntil !== undefined) visitor.present(token, cookieUntil)
}

/** Validates an op as data from anybody. */
function check({ parts, visitor }: Sync, store: string, wire: WireOp): Checked {
  const { definitions } = parts
  const { n, bin, base, gone, strict, age, sv } = wire
  const refused = (state: WireResult['state'], issues?: WireResult['issues']): Checked => ({
    refused: { n, bin, state, seen: 0, ...(issues ? { issues } : {}) },
  })
  const definition = definitions.knows(bin) ? definitions.find(bin) : undefined
  if (definition?.storage !== 'server' || definition.store !== store || definition.browser !== 'write') {
    return refused('denied')
  }
  if (definition.maxAge === 'session') visitor.startSession()
  const op = { n, bin, base, age, version: definition.version, ...(strict ? { strict } : {}) }
  if (gone) return { op }
  if (sv > definition.version) return refused('outdated')
  try {
    return { op: { ...op, text: toOwnText(definition, { text: JSON.stringify(wire.data), version: sv }) } }
  } catch (error) {
    if (!(error instanceof BinsError)) throw error
    return refused('invalid', error.issues.map(toWireIssue))
  }
}

function toAnswer(
  { parts, visitor }: Sync,
  part: RequestPart,
  record: BinsRecord,
  checked: readonly Checked[],
  applied: readonly OpResult[],
): AnswerPart {
  const { definitions, clock } = parts
  const now = clock()
  const { session } = visitor
  const since = fromCursor(part.cursor, record)
  const written = new Set(applied.filter(({ state }) => state === 'ok').map(({ bin }) => bin))
  const changes = [...record.bins]
    .filter(([name]) => definitions.knows(name) && definitions.find(name).browser !== 'none')
    .filter(([name, row]) => !written.has(name) && row.touched > (since ?? 0))
    .map(([bin, row]) => ({ bin, ...toWireRow(row, isLive(row, now, session), now) }))
  const results = new Map(applied.map((result) => [result.n, result]))
  return {
    store: part.store,
    tag: part.tag ?? '',
    cursor: toCursor(record),
    results: checked.map((one) => {
      if ('refused' in one) return one.refused
      // Every op that was not refused was applied.
      const { n, bin, state, seen, row } = results.get(one.op.n) as OpResult
      return { n, bin, state, seen, ...(row ? toWireRow(row, isLive(row, now, session), now) : {}) }
    }),
    changes,
    ...(since === undefined ? { reset: true } : {}),
  }
}

function toWireIssue({ message, path }: BinsError['issues'][number]): { message: string; path?: string[] } {
  return { message, ...(path ? { path: path.map((key) => String(typeof key === 'object' ? key.key : key)) } : {}) }
}

function storeNames({ definitions }: ServerParts): Set<string> {
  return new Set(definitions.names.map((name) => definitions.find(name).store))
}

/** Reads a body, but no more of it than a sync can have. */
async function readJson(request: Request): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_SYNC_BYTES) throw new BinsError('TOO_LARGE', 'The sync request is too large.')
    chunks.push(chunk)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)))
  } catch {
    return undefined
  }
}

function withCookies(jar: Jar, response: Response): Response {
  for (const line of jar.lines.values()) response.headers.append('set-cookie', line)
  return response
}

function wrongOwner(tag: string | null): Response {
  return answer({ error: 'wrong-owner', tag } satisfies WrongOwner, 409)
}

function refuse(status: number, error: string, headers: Record<string, string> = {}): Response {
  return answer({ error }, status, headers)
}

function answer(body: object, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'private, no-store', ...headers } })
}
