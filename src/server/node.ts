import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { createRequestListener } from '@remix-run/node-fetch-server'

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
  const listen = createRequestListener((request) => fetch(request), { onError: () => undefined })
  return (request: FrameworkRequest, response) => {
    const { url = '/', originalUrl = url } = request
    // It is read at once, and then given back to whoever logs it.
    request.url = originalUrl
    void listen(request.readableEnded ? unread(request) : request, response)
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
