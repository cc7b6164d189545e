import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Request as ExpressRequest } from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinName } from '../../../src/core/definition/definition.ts'
import type { BinsRequest } from '../../../src/server/frameworks/middleware.ts'
import { toNodeHandler } from '../../../src/server/http/node-handler.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import type { BinsServer } from '../../../src/server/server.ts'
import { type Listening, listen, quietApp } from './express.ts'

/** The bins of these sites. */
export const bins = defineBins({
  theme: { storage: 'cookie', default: 'light' },
  visits: { default: 0 },
})

/** What a handler answers, in no framework's words. */
export interface Answer {
  /** Default 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** A text, or texts one after the other. Default: none. */
  readonly body?: string | AsyncIterable<string>
}

/** Opens the bins of a request. */
export type Open = (names?: ReadonlyArray<BinName<typeof bins>>) => Promise<ServerBins<typeof bins>>

/** Answers a request. */
export type Handler = (open: Open) => Promise<Answer>

/** A site: handlers by path, and what runs before each of them as a middleware of its own. */
export interface Site {
  readonly first?: (open: Open) => Promise<void>
  readonly routes: Readonly<Record<string, Handler>>
}

/** How a site is served in each framework, by nothing but what users of the framework would write. */
export const frameworks: Readonly<
  Record<string, (server: BinsServer<typeof bins>, site: Site) => Promise<Listening>>
> = {
  'a web handler': (server, { first, routes }) =>
    listen(
      toNodeHandler(async (request) => {
        const { pathname } = new URL(request.url)
        if (pathname.startsWith('/bins/')) return server.fetch(request)
        const open: Open = (names) => server.open(request, names)
        const answer = async () => {
          await first?.(open)
          return toResponse(await run(routes, pathname, open))
        }
        return server.handle(request, answer, { bins: [] })
      }),
    ),

  'node:http': (server, { first, routes }) => {
    const middleware = server.middleware()
    const endpoint = toNodeHandler(server.fetch)
    return listen((request, response) => {
      const { url = '/' } = request
      if (url.startsWith('/bins/')) return endpoint(request, response)
      middleware(request, response, async () => {
        const open = openerOf(request)
        try {
          await first?.(open)
          const { status = 200, headers = {}, body } = await run(routes, url, open)
          response.writeHead(status, headers)
          if (typeof body === 'object') await pipeline(Readable.from(body), response)
          else response.end(body)
        } catch {
          response.writeHead(500).end('broken')
        }
      })
    })
  },

  'express 5': (server, { first, routes }) => {
    const app = quietApp()
    app.use(server.middleware())
    app.all('/bins/*path', toNodeHandler(server.fetch))
    app.use(async (request, _response, next) => {
      await first?.(openerOf(request))
      next()
    })
    app.use(async (request, response) => {
      const { status = 200, headers = {}, body } = await run(routes, request.path, openerOf(request))
      response.status(status).set(headers)
      if (typeof body === 'object') await pipeline(Readable.from(body), response)
      else response.send(body)
    })
    return listen(app)
  },

  'fastify 5': (server, { first, routes }) =>
    listenFastify(server, first, async (path, open, reply) => {
      const { status = 200, headers = {}, body } = await run(routes, path, open)
      reply.code(status).headers(headers)
      return reply.send(typeof body === 'object' ? Readable.from(body) : body)
    }),

  'fastify 5, where handlers return a Response': (server, { first, routes }) =>
    listenFastify(server, first, async (path, open) => toResponse(await run(routes, path, open))),

  'hono 4': (server, { first, routes }) => {
    const app = new Hono()
    app.use(async (context, next) => {
      const answer = () => next().then(() => context.res)
      const saved = await server.handle(context.req.raw, answer, { bins: [] })
      context.res = undefined
      context.res = saved
    })
    app.all('/bins/*', ({ req }) => server.fetch(req.raw))
    app.use(async ({ req }, next) => {
      await first?.((names) => server.open(req.raw, names))
      await next()
    })
    app.all('*', async ({ req }) =>
      toResponse(await run(routes, req.path, (names) => server.open(req.raw, names))),
    )
    app.onError(() => new Response('broken', { status: 500 }))
    return listen(toNodeHandler(async (request) => app.fetch(request)))
  },
}

async function listenFastify(
  server: BinsServer<typeof bins>,
  first: Site['first'],
  handle: (
    path: string,
    open: Open,
    reply: { code(status: number): { headers(all: object): unknown }; send(body: unknown): unknown },
  ) => Promise<unknown>,
): Promise<Listening> {
  const app = fastify({ forceCloseConnections: true })
  await app.register(server.fastify())
  app.addHook('preHandler', async ({ raw }) => {
    await first?.((names) => server.open(raw, names))
  })
  app.all('*', ({ raw, url }, reply) => handle(url, (names) => server.open(raw, names), reply))
  await app.listen({ port: 0, host: '127.0.0.1' })
  // It listens on a port.
  const { port } = app.server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, close: () => app.close() }
}

/** The middleware has given the request its bins. */
function openerOf(request: object): Open {
  const withBins = request as BinsRequest<typeof bins> & ExpressRequest
  return (names) => withBins.bins(names)
}

async function run(routes: Site['routes'], path: string, open: Open): Promise<Answer> {
  const handler = routes[path]
  return handler ? handler(open) : { status: 404, body: 'not found' }
}

function toResponse({ status = 200, headers = {}, body = '' }: Answer): Response {
  if ([204, 304].includes(status)) return new Response(null, { status, headers })
  if (typeof body === 'string') return new Response(body, { status, headers })
  return new Response(toStream(body), { status, headers })
}

function toStream(texts: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = texts[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(Buffer.from(value))
    },
  })
}
