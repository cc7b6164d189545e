import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { createRequest, sendResponse } from '@remix-run/node-fetch-server'
import { check } from '../../core/check.ts'
import { isUnavailable } from '../errors.ts'

/** What express and connect put on a request. */
interface FrameworkRequest extends IncomingMessage {
  /** The path as the client sent it: `url` lacks the part that a handler is mounted at. */
  originalUrl?: string
  /** What a body parser made of the body. */
  body?: unknown
}

/** A function from `Request` to `Response`. */
type Fetch = (request: Request) => Promise<Response>

/** Options of {@link toNodeHandler}. */
export interface NodeHandlerOptions {
  /** Told of what the function throws. Default `console.error`. */
  readonly onError?: (error: unknown) => void
}

/**
 * Turns a function from `Request` to `Response`, such as `server.fetch`, into a listener for node:http and express. What
 * it throws is answered with status 500, or with 503 if a store has failed.
 */
export function toNodeHandler(
  fetch: Fetch,
  // biome-ignore lint/suspicious/noConsole: there is nobody else to tell
  { onError = console.error }: NodeHandlerOptions = {},
): (request: IncomingMessage, response: ServerResponse) => void {
  check(typeof fetch === 'function', 'toNodeHandler', 'pass a function, such as server.fetch')
  return (request, response) => void answer(request, response, { fetch, onError })
}

async function answer(
  request: FrameworkRequest,
  response: ServerResponse,
  { fetch, onError }: Required<NodeHandlerOptions> & { readonly fetch: Fetch },
): Promise<void> {
  const asked = readable(request, response)
  const sent = asked
    ? await fetchSafely(() => fetch(asked), onError)
    : new Response('Bad Request', { status: 400 })
  // Whoever went away meanwhile closed the connection; what it asked for is to hear of that.
  try {
    if (response.destroyed) await sent.body?.cancel()
    else if (isEvents(sent)) sendEvents(sent, response)
    else await sendResponse(response, sent)
  } catch {
    response.destroy()
  }
}

async function fetchSafely(
  fetch: () => Promise<Response>,
  onError: (error: unknown) => void,
): Promise<Response> {
  try {
    const response = await fetch()
    check(typeof response?.status === 'number', 'toNodeHandler', 'return a Response')
    return response
  } catch (error) {
    onError(error)
    return isUnavailable(error)
      ? new Response('Service Unavailable', { status: 503, headers: { 'retry-after': '5' } })
      : new Response('Internal Server Error', { status: 500 })
  }
}

/** The request of the web platform; `undefined` if there can be none, as with a `Host` that no browser sends. */
function readable(request: FrameworkRequest, response: ServerResponse): Request | undefined {
  try {
    return toWebRequest(request, response)
  } catch {
    return undefined
  }
}

function toWebRequest(request: FrameworkRequest, response: ServerResponse): Request {
  const { url = '/', originalUrl = url } = request
  // It is read at once, and then given back to whoever logs it.
  request.url = originalUrl
  try {
    return createRequest(request.readableEnded ? unread(request) : request, response)
  } finally {
    request.url = url
  }
}

/** The request with the body that a parser has read: from the request itself, nobody would hear of its end any more. */
function unread({ method, url, headers, rawHeaders, socket, body }: FrameworkRequest): IncomingMessage {
  const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body ?? null)
  // It is asked for these properties, and otherwise for what every stream has.
  return Object.assign(Readable.from([Buffer.from(text)]), {
    method,
    url,
    headers,
    rawHeaders,
    socket,
  }) as IncomingMessage
}

function isEvents({ headers, body }: Response): boolean {
  return body !== null && headers.get('content-type') === 'text/event-stream'
}

function sendEvents({ status, headers, body }: Response, response: ServerResponse): void {
  response.writeHead(status, [...headers].flat())
  // It has a body, or it would be no stream of events.
  void pipe((body as ReadableStream<Uint8Array>).getReader(), response)
}

/**
 * Sends what is read. It holds on to nothing else, since streams of events live for minutes and there are thousands of
 * them; and it closes the connection when the stream is broken off, although the client may not read.
 */
async function pipe(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  response: ServerResponse,
): Promise<void> {
  response.once('close', () => void reader.cancel().catch(() => {}))
  reader.closed.catch(() => response.destroy())
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      if (!response.write(value)) await once(response, 'drain')
    }
    response.end()
  } catch {
    // The stream or the connection was broken off, and the other one knows.
  }
}
