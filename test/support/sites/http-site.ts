import { once } from 'node:events'
import { createServer } from 'node:http'
import { toNodeHandler } from '../../../src/server/http/node-handler.ts'

/** A site on this machine, for real browsers. */
export interface Site {
  /** Its origin: http on 127.0.0.1, which browsers trust like https. */
  readonly origin: string
  /** What answers its requests. */
  answer: (request: Request) => Promise<Response>
  /** Ends it, and every connection. */
  close(): Promise<void>
}

/** Opens a site that answers 404 until it is told otherwise. */
export async function openSite(): Promise<Site> {
  const server = createServer(toNodeHandler((request) => site.answer(request)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port')
  const site: Site = {
    origin: `http://127.0.0.1:${address.port}`,
    answer: async () => new Response(null, { status: 404 }),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return site
}

/** A page that runs a module. */
export function pageWith(script: string): Response {
  return new Response(
    `<!doctype html><meta charset="utf-8"><title>Bins</title><script type="module">${script}</script>`,
    {
      headers: { 'content-type': 'text/html; charset=utf-8' },
    },
  )
}
