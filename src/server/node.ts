import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { createRequest, sendResponse } from '@remix-run/node-fetch-server'

/** What express and connect put on a request. */
interface FrameworkRequest extends IncomingMessage {
  /** The path as the client sent it: `url` lacks the part that a handler is mounted at. */
  originalUrl?: string
  /** What a body parser made of the body. */
  body?: unknown
}

/**
 * Turns a function from `Request` to `Response`, such as `server.fetch`, into a listener for node:http and express. What
 * it throws is answered with status 500, and nothing is printed.
 */
export function toNodeHandler(
  fetch: (request: Request) => Promise<Response>,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => void answer(request, response, fetch)
}

async function answer(
  request: FrameworkRequest,
  response: ServerResponse,
  fetch: (request: Request) => Promise<Response>,
): Promise<void> {
  const sent = await fetchSafely(() => fetch(toWebRequest(request, response)))
  // Whoever went away meanwhile closed the connection; what it asked for is to hear of that.
  try {
    if (response.destroyed) await sent.body?.cancel()
    else if (isEvents(sent)) sendEvents(sent, response)
    else await sendResponse(response, sent)
  } catch {
    response.destroy()
  }
}

async function fetchSafely(fetch: () => Promise<Response>): Promise<Response> {
  try {
    return await fetch()
  } catch {
    return new Response('Internal Server Error', { status: 500 })
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
