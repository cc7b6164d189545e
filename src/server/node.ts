import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequestListener } from '@remix-run/node-fetch-server'

/** Turns a function from `Request` to `Response`, such as `server.fetch`, into a listener for node:http and express. */
export function toNodeHandler(
  fetch: (request: Request) => Promise<Response>,
): (request: IncomingMessage, response: ServerResponse) => void {
  // What it throws is answered with status 500, and nothing is printed.
  const listen = createRequestListener((request) => fetch(request), { onError: () => undefined })
  return (request, response) => void listen(request, response)
}
