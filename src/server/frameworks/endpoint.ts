import { COOKIE_HEADER, SET_COOKIE_HEADER } from '../../core/cookie/cookie-header.ts'
import { report } from '../../core/event.ts'
import { MAX_SYNC_BYTES } from '../../core/limits.ts'
import { PROTOCOL, type SyncAnswer, type UnknownUser, type WrongOwner } from '../../core/sync/wire.ts'
import { allowOrigin, answerPreflight } from '../http/cors.ts'
import { isListed, mayAsk, type RequestHead, readHead } from '../http/request-head.ts'
import type { Live } from '../live/live.ts'
import { acceptLink, type LinkAnswer } from '../owner/accept-link.ts'
import type { ServerParts } from '../parts.ts'
import { openRequest } from '../request/request.ts'
import { exchange } from '../sync/exchange.ts'
import { parseLinkRequest, parseSyncRequest } from '../sync/wire-schema.ts'

/** Answers requests to the sync endpoint: `POST {path}/sync`, `…/clear`, `…/link`, and `GET {path}/events`. */
export async function answerEndpoint(parts: ServerParts, live: Live, request: Request): Promise<Response> {
  const head = readHead(request, parts.site)
  const response = await route(parts, live, request, head)
  if (parts.site.origins?.length) allowOrigin(response, head)
  if (head.transport === 'header') response.headers.append('vary', COOKIE_HEADER)
  return response
}

const ACTIONS: ReadonlySet<string> = new Set(['/sync', '/clear', '/link', '/events'])

async function route(parts: ServerParts, live: Live, request: Request, head: RequestHead): Promise<Response> {
  const { path } = parts.definitions
  const { pathname } = new URL(request.url)
  const action = pathname.startsWith(path) ? pathname.slice(path.length) : ''
  if (!ACTIONS.has(action)) return refuse(404, 'not-found')
  const method = action === '/events' ? 'GET' : 'POST'
  if (request.method === 'OPTIONS' && isListed(head)) return answerPreflight(method)
  if (request.method !== method) return refuse(405, 'method', { allow: method })
  if (!mayAsk(head)) return refuse(403, 'origin')
  if (method === 'POST' && !/^application\/json\s*(;|$)/i.test(head.header('content-type') ?? '')) {
    return refuse(415, 'content-type')
  }
  try {
    if (action === '/events') return await live.answer(request, head)
    if (action === '/link') return await link(parts, head, request)
    return action === '/clear' ? await clear(parts, head) : await sync(parts, head, request)
  } catch (cause) {
    report(parts.onEvent, { type: 'sync-failed', cause })
    return refuse(503, 'unavailable', { 'retry-after': '5' })
  }
}

async function clear(parts: ServerParts, head: RequestHead): Promise<Response> {
  const state = openRequest(parts, head)
  await state.clearHidden()
  return state.save(answer({ v: PROTOCOL }))
}

async function sync(parts: ServerParts, head: RequestHead, request: Request): Promise<Response> {
  const bytes = await readBody(request)
  if (!bytes) return refuse(413, 'too-large')
  const body = parseSyncRequest(parseJson(bytes))
  if (!body) return refuse(400, 'malformed')
  if (body.parts.some(({ store }) => !parts.stores.includes(store))) return refuse(400, 'store')
  return answerWith(head, await exchange(parts, head, body))
}

async function link(parts: ServerParts, head: RequestHead, request: Request): Promise<Response> {
  const bytes = await readBody(request)
  if (!bytes) return refuse(413, 'too-large')
  const body = parseLinkRequest(parseJson(bytes))
  if (!body) return refuse(400, 'malformed')
  return answerWith(head, await acceptLink(parts, head, body))
}

type Content = SyncAnswer | WrongOwner | UnknownUser | LinkAnswer

function answerWith(
  head: RequestHead,
  { answer: content, lines }: { answer: Content; lines: readonly string[] },
): Response {
  const response = answer(content, statusOf(content))
  const name = head.transport === 'header' ? SET_COOKIE_HEADER : 'set-cookie'
  for (const line of lines) response.headers.append(name, line)
  return response
}

function statusOf(content: Content): number {
  if (!('error' in content)) return 200
  if (content.error === 'unknown-user') return 401
  return content.error === 'gone' ? 404 : 409
}

/** Reads a body; `undefined` for one that is larger than a sync can be, of which no more is read than that. */
async function readBody(request: Request): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_SYNC_BYTES) return undefined
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_SYNC_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // A TypeError for what is no UTF-8, a SyntaxError for what is no JSON.
    return undefined
  }
}

function refuse(status: number, error: string, headers: Record<string, string> = {}): Response {
  return answer({ error }, status, headers)
}

function answer(content: object, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(content, { status, headers: { 'cache-control': 'private, no-store', ...headers } })
}
