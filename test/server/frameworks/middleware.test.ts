import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { request as sendRequest } from 'node:http'
import type { Express, Request, Response } from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinsRequest, MiddlewareOptions } from '../../../src/server/frameworks/middleware.ts'
import type { ServerOptions } from '../../../src/server/options.ts'
import { type BinsServer, serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import {
  type Got,
  type Listening,
  listen,
  quietApp,
  type Sent,
  send,
  sendRaw,
} from '../../support/sites/express.ts'
import { openCookieJar } from '../../support/sites/http.ts'
import { gatedStore, openEvents, openSignal, slowStore } from '../../support/sites/requests.ts'

const bins = defineBins({ theme: { storage: 'cookie', default: 'light' }, visits: { default: 0 }, cart: {} })

type WithBins = BinsRequest<typeof bins>

const servers: Listening[] = []
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())))

interface AppOptions extends ServerOptions, MiddlewareOptions {
  /** Adds middleware and routes. */
  readonly routes: (app: Express, server: BinsServer<typeof bins>) => void
}

/** Serves an app with bins. */
async function serve({ routes, onSaveError, ...options }: AppOptions) {
  const events = openEvents()
  const bare = serveBins(bins, { store: memoryStore(), onEvent: events.onEvent, ...options })
  const app = quietApp()
  app.use(bare.middleware(onSaveError ? { onSaveError } : {}))
  routes(app, bare)
  const server = await listen(app)
  servers.push(server)
  const jar = openCookieJar(Date.now)

  /** Sends a request with the cookies of one browser, and takes in those of the answer. */
  async function browse(path = '/', sent: Sent = {}): Promise<Got> {
    const headers = { ...sent.headers, ...(jar.header() === '' ? {} : { cookie: jar.header() }) }
    const got = await send(server, { ...sent, path, headers })
    if (!got) throw new Error('no answer')
    for (const line of [got.headers['set-cookie'] ?? []].flat()) jar.set(line)
    return got
  }

  return { server, events, jar, browse }
}

/** A route that uses bins; express 5 passes on what it rejects with. */
function route(use: (request: WithBins & Request, response: Response) => unknown) {
  // The middleware has made it one.
  return (request: Request, response: Response) => use(request as WithBins & Request, response)
}

function readRoute(app: Express): void {
  app.get(
    '/read',
    route(async (request, response) => {
      const state = await request.bins()
      response.json([state.get('theme'), state.get('visits'), state.get('cart') ?? null])
    }),
  )
}

describe('the middleware', () => {
  it('saves what a handler has set, before its response', async () => {
    const { browse } = await serve({
      store: slowStore(memoryStore()),
      routes(app) {
        readRoute(app)
        app.get(
          '/',
          route(async (request, response) => {
            const state = await request.bins()
            state.set('theme', 'dark')
            state.set('visits', state.get('visits') + 1)
            response.send(`visit ${state.get('visits')}`)
          }),
        )
      },
    })
    const first = await browse()
    expect(first.body).toBe('visit 1')
    expect(first.headers).toMatchObject({ 'cache-control': 'private, no-store', vary: 'Cookie' })
    expect((await browse()).body).toBe('visit 2')
    expect((await browse('/read')).body).toBe('["dark",2,null]')
  })

  it('has saved before a redirect is followed, each time', async () => {
    const { browse } = await serve({
      store: slowStore(memoryStore()),
      routes(app) {
        readRoute(app)
        app.post(
          '/',
          route(async (request, response) => {
            const state = await request.bins(['visits'])
            state.set('visits', state.get('visits') + 1)
            response.redirect(303, '/read')
          }),
        )
      },
    })
    for (let visit = 1; visit <= 100; visit += 1) {
      const { headers } = await browse('/', { method: 'POST' })
      expect((await browse(String(headers.location))).body).toBe(`["light",${visit},null]`)
    }
  })

  it('adds nothing to a response whose request asks for no bins', async () => {
    const store = faultyStore(memoryStore())
    const { browse } = await serve({
      store,
      routes: (app) => app.get('/', (_, response) => void response.send('x')),
    })
    const { headers } = await browse()
    expect(headers).not.toHaveProperty('set-cookie')
    expect(headers).not.toHaveProperty('vary')
    expect(store.calls).toEqual([])
  })

  it('shares its bins with every middleware, and with open', async () => {
    const { browse } = await serve({
      routes(app, server) {
        readRoute(app)
        app.use(
          route(async (request, _) => {
            const state = await server.open(request, ['theme'])
            state.set('theme', 'dark')
            // Express types it as its own.
            request.next?.()
          }),
        )
        app.use(server.middleware())
        app.get(
          '/',
          route(async (request, response) => {
            const [one, other] = await Promise.all([request.bins(['visits']), server.open(request, ['cart'])])
            expect(one).toBe(other)
            one.set('visits', 1)
            response.json(one.get('theme'))
          }),
        )
      },
    })
    expect((await browse()).body).toBe('"dark"')
    expect((await browse('/read')).body).toBe('["dark",1,null]')
  })

  it('serves the bins of two applications side by side', async () => {
    const others = defineBins({ lang: { storage: 'cookie' }, seen: {} }, { cookie: { prefix: 'other' } })
    const server = serveBins(others, { store: slowStore(memoryStore()) })
    const { browse } = await serve({
      store: slowStore(memoryStore()),
      routes(app) {
        app.get(
          '/',
          route(async (request, response) => {
            const [mine, theirs] = [await request.bins(), await server.open(request)]
            mine.set('visits', 1)
            theirs.set('seen', 2)
            theirs.set('lang', 'en')
            response.send('both')
          }),
        )
      },
    })
    const { body, headers } = await browse()
    expect(body).toBe('both')
    const names = [headers['set-cookie'] ?? []].flat().map((line) => line.slice(0, line.indexOf('=')))
    expect(names.sort()).toEqual(['bb', 'bb.o', 'other', 'other-lang', 'other.o'])
  })

  it.each(['res.status(500)', 'throw', 'next(error)'])('saves nothing after %s', async (failure) => {
    const store = faultyStore(memoryStore())
    const { browse, events } = await serve({
      store,
      routes(app) {
        app.get(
          '/',
          route(async (request, response) => {
            const state = await request.bins()
            state.set('theme', 'dark')
            state.set('visits', 1)
            if (failure === 'throw') throw new Error('broken')
            if (failure === 'next(error)') request.next?.(new Error('broken'))
            else response.status(500).send('broken')
          }),
        )
      },
    })
    const { status, headers } = await browse()
    expect(status).toBe(500)
    expect(headers).not.toHaveProperty('set-cookie')
    expect(store.calls).toEqual([])
    expect(events.all).toEqual([])
  })

  it('keeps what was saved before the status turned out to be 500', async () => {
    const { browse } = await serve({
      routes(app) {
        readRoute(app)
        app.get(
          '/',
          route(async (request) => {
            const state = await request.bins()
            state.set('theme', 'dark')
            state.set('visits', 1)
            await state.save()
            state.set('theme', 'blue')
            state.set('visits', 2)
            throw new Error('broken')
          }),
        )
      },
    })
    expect((await browse()).status).toBe(500)
    expect((await browse('/read')).body).toBe('["dark",1,null]')
  })

  it('refuses cookies once the head is out, and saves other server bins', async () => {
    const codes: unknown[] = []
    const { browse } = await serve({
      routes(app) {
        readRoute(app)
        app.get(
          '/',
          route(async (request, response) => {
            const state = await request.bins()
            state.set('visits', 1)
            await state.save()
            response.write('head')
            for (const [name, data] of [
              ['theme', 'dark'],
              ['visits', 2],
            ] as const) {
              try {
                state.set(name, data as never)
              } catch (error) {
                codes.push(error instanceof Error && 'code' in error ? error.code : error)
              }
            }
            await state.save()
            await state.update('visits', (visits) => visits + 1)
            await expect(state.clear()).rejects.toMatchObject({ code: 'HEAD_SENT' })
            response.end(' and body')
          }),
        )
      },
    })
    expect((await browse()).body).toBe('head and body')
    expect(codes).toEqual(['HEAD_SENT'])
    expect((await browse('/read')).body).toBe('["light",3,null]')
  })

  it('deletes the last bin after the head, and leaves the cookies that it cannot delete', async () => {
    const { browse, jar } = await serve({
      routes(app) {
        readRoute(app)
        app.get(
          '/set',
          route(async (request, response) => {
            const state = await request.bins()
            state.set('visits', 1)
            response.end()
          }),
        )
        app.get(
          '/',
          route(async (request, response) => {
            const state = await request.bins()
            response.write('head')
            state.set('visits', null)
            await state.save()
            state.set('visits', 2)
            await state.save()
            response.end()
          }),
        )
      },
    })
    await browse('/set')
    const before = jar.header()
    expect((await browse()).isComplete).toBe(true)
    expect((await browse('/read')).body).toBe('["light",2,null]')
    expect(jar.header()).toBe(before)
  })

  it('leaves a response alone whose head was out before the bins were opened', async () => {
    const { browse, events } = await serve({
      store: slowStore(memoryStore()),
      routes(app) {
        readRoute(app)
        app.get(
          '/set',
          route(async (request, response) => {
            const state = await request.bins()
            state.set('visits', 1)
            response.end()
          }),
        )
        app.get(
          '/',
          route(async (request, response) => {
            response.write('head')
            const state = await request.bins()
            state.set('visits', state.get('visits') + 1)
            response.end(' and body')
          }),
        )
      },
    })
    await browse('/set')
    expect(await browse()).toMatchObject({ body: 'head and body', isComplete: true })
    expect((await browse('/read')).body).toBe('["light",1,null]')
    expect(events.all).toEqual([{ type: 'unsaved', bins: ['visits'] }])
  })

  it('refuses to make a visitor once the head is out', async () => {
    const store = faultyStore(memoryStore())
    const codes: unknown[] = []
    const { browse } = await serve({
      store,
      routes(app) {
        app.get(
          '/',
          route(async (request, response) => {
            response.write('head')
            const state = await request.bins()
            for (const run of [() => state.set('visits', 1), () => state.set('theme', 'dark')]) {
              try {
                run()
              } catch (error) {
                codes.push(error instanceof Error && 'code' in error ? error.code : error)
              }
            }
            codes.push(await state.update('visits', () => 1).catch(({ code }) => code))
            response.end(' and body')
          }),
        )
      },
    })
    expect((await browse()).body).toBe('head and body')
    expect(codes).toEqual(['HEAD_SENT', 'HEAD_SENT', 'HEAD_SENT'])
    expect(store.calls).toEqual([])
  })

  it('tells of edits that were never saved', async () => {
    const closed = openSignal()
    const { browse, events, server } = await serve({
      routes(app) {
        readRoute(app)
        app.get(
          '/',
          route(async (request, response) => {
            const state = await request.bins()
            response.once('close', closed.give)
            state.set('theme', 'dark')
            state.set('visits', 1)
            response.destroy()
          }),
        )
      },
    })
    expect(await send(server)).toBeUndefined()
    await closed.given
    // What follows is answered after the event of the connection before.
    await browse('/read')
    expect(events.all).toEqual([{ type: 'unsaved', bins: ['theme', 'visits'] }])
  })

  it('saves for a client that goes away meanwhile, and says nothing of it', async () => {
    const store = gatedStore(memoryStore())
    const closed = openSignal()
    const { server, events } = await serve({
      store,
      routes(app) {
        app.get(
          '/',
          route(async (request, response) => {
            response.once('close', closed.give)
            const state = await request.bins()
            state.set('visits', 1)
            response.send('nobody reads this')
          }),
        )
      },
    })
    const sending = sendRequest({ port: server.port, agent: false }).end()
    sending.on('error', () => {})
    await store.isWaitedFor
    sending.destroy()
    await closed.given
    expect((await store.scan?.(undefined, 1))?.entries).toEqual([])
    store.open()
    await expect.poll(async () => (await store.scan?.(undefined, 1))?.entries.length).toBe(1)
    expect(events.all).toEqual([])
  })

  it('lets the next request of a connection wait for its turn', async () => {
    const { server } = await serve({
      store: slowStore(memoryStore()),
      routes(app) {
        app.get(
          '/:word',
          route(async (request, response) => {
            const state = await request.bins()
            state.set('cart', request.params.word)
            response.send(`said ${request.params.word}.`)
          }),
        )
      },
    })
    const heads = ['one', 'two', 'three'].map((word, index) =>
      [`GET /${word} HTTP/1.1`, 'host: localhost', index === 2 ? 'connection: close' : '', '', '']
        .filter((line, at) => line !== '' || at > 2)
        .join('\r\n'),
    )
    const text = await sendRaw(server, heads.join(''))
    expect(text.match(/said \w+/g)).toEqual(['said one', 'said two', 'said three'])
    expect(text.match(/set-cookie: bb=/gi)).toHaveLength(3)
  })
})

describe('a response whose edits cannot be saved', () => {
  /** Serves one route on a store that cannot write. */
  function serveFailing(answer: (response: Response) => unknown, options: MiddlewareOptions = {}) {
    return serve({
      ...options,
      store: slowStore(faultyStore(memoryStore(), { failOn: 2 })),
      routes(app) {
        readRoute(app)
        app.get(
          '/',
          route(async (request, response) => {
            const state = await request.bins()
            state.set('theme', 'dark')
            state.set('visits', 1)
            response.set('x-secret', 'of the page').set('content-length', '1000')
            return answer(response)
          }),
        )
      },
    })
  }

  it('becomes a 503, without cookies and without what was written', async () => {
    const { browse, events } = await serveFailing((response) => response.send('all is well'))
    const { status, body, headers } = await browse()
    expect(status).toBe(503)
    expect(body).toMatch(/^Service unavailable/)
    expect(headers).toMatchObject({ 'retry-after': '5', 'content-type': 'text/plain; charset=utf-8' })
    expect(headers).not.toHaveProperty('set-cookie')
    expect(headers).not.toHaveProperty('x-secret')
    expect(events.types).toEqual(['store-failed'])
    expect((await browse('/read')).body).toBe('["light",0,null]')
  })

  it('is answered by the application', async () => {
    const { browse } = await serveFailing((response) => response.json({ ok: true }), {
      onSaveError(error, response) {
        response.statusCode = 507
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ error: error instanceof Error && 'code' in error && error.code }))
      },
    })
    const { status, body, headers } = await browse()
    expect([status, body]).toEqual([507, '{"error":"STORE_FAILED"}'])
    expect(headers['content-type']).toBe('application/json')
  })

  it('takes nothing that the handler goes on to write', async () => {
    const errors: unknown[] = []
    const { browse } = await serveFailing(async (response) => {
      response.on('error', (error) => errors.push(error))
      response.write('first', (error) => errors.push(error?.message))
      await once(response, 'finish')
      response.write('second', (error) => errors.push(error?.message))
      response.end('third', () => errors.push('ended'))
    })
    const { status, body } = await browse()
    expect(status).toBe(503)
    expect(body).toMatch(/Please try again.\n$/)
    await expect.poll(() => errors.length).toBe(3)
    expect(errors).toEqual([
      expect.stringMatching(/could not be saved/),
      expect.stringMatching(/could not/),
      'ended',
    ])
  })

  it('ends a stream that is piped into it', async () => {
    const { Readable } = await import('node:stream')
    const source = Readable.from(Array.from({ length: 1_000 }, () => 'x'.repeat(10_000)))
    const { browse } = await serveFailing((response) => source.pipe(response))
    expect((await browse()).status).toBe(503)
    expect(source.readableFlowing).toBe(false)
  })

  it('is cut off if the application cannot answer either', async () => {
    const { server } = await serveFailing((response) => response.send('all is well'), {
      onSaveError() {
        throw new Error('broken')
      },
    })
    expect(await send(server)).toBeUndefined()
  })

  it('can be answered later', async () => {
    const { browse } = await serveFailing((response) => response.send('all is well'), {
      onSaveError(_, response) {
        setImmediate(() => response.writeHead(503, { 'x-late': '1' }).end('later'))
      },
    })
    const { status, body, headers } = await browse()
    expect([status, body, headers['x-late']]).toEqual([503, 'later', '1'])
  })
})

describe('other middleware that wraps the response', () => {
  /** Turns the body into upper case, as a compressor would change it. */
  function shout(response: ServerResponse): void {
    const { write, end, writeHead } = response
    const up = (chunk: unknown) => (typeof chunk === 'string' ? chunk.toUpperCase() : chunk)
    Object.assign(response, {
      writeHead(...args: unknown[]) {
        response.setHeader('x-shouted', '1')
        response.removeHeader('content-length')
        return Reflect.apply(writeHead, response, args)
      },
      write(chunk: unknown, ...rest: unknown[]) {
        if (!response.headersSent) response.writeHead(response.statusCode)
        return Reflect.apply(write, response, [up(chunk), ...rest])
      },
      end(chunk: unknown, ...rest: unknown[]) {
        if (!response.headersSent) response.writeHead(response.statusCode)
        return Reflect.apply(end, response, [up(chunk), ...rest])
      },
    })
  }

  it.each([
    ['before', 'theme'],
    ['before', 'visits'],
    ['after', 'theme'],
    ['after', 'visits'],
  ] as const)('goes on working if it comes %s a bin like %s is opened', async (when, name) => {
    const { browse } = await serve({
      store: slowStore(memoryStore()),
      routes(app) {
        app.get(
          '/',
          route(async (request, response) => {
            if (when === 'before') shout(response)
            const state = await request.bins()
            if (when === 'after') shout(response)
            state.set(name, 'x' as never)
            response.write('hello ')
            response.end('world')
          }),
        )
      },
    })
    const { body, headers } = await browse()
    expect(body).toBe('HELLO WORLD')
    expect(headers['x-shouted']).toBe('1')
    expect(headers['set-cookie']).toBeDefined()
  })
})
