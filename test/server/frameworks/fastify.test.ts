import { Readable } from 'node:stream'
import fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { ServerOptions } from '../../../src/server/options.ts'
import { type BinsServer, serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { openEvents } from '../../support/sites/requests.ts'

const bins = defineBins({ theme: { storage: 'cookie', default: 'light' }, visits: { default: 0 } })

const apps: FastifyInstance[] = []
afterEach(() => Promise.all(apps.splice(0).map((app) => app.close())))

/** An app with bins. */
async function openApp(options: ServerOptions = {}) {
  const events = openEvents()
  const server = serveBins(bins, { store: memoryStore(), onEvent: events.onEvent, ...options })
  const app = fastify()
  apps.push(app)
  return { app, server, events }
}

function countVisits(app: FastifyInstance, server: BinsServer<typeof bins>): void {
  app.get('/visits', async ({ raw }) => {
    const state = await server.open(raw, ['visits'])
    state.set('visits', state.get('visits') + 1)
    return `visit ${state.get('visits')}`
  })
}

describe('the fastify plugin', () => {
  it('serves the routes of all plugins, wherever it is registered', async () => {
    const { app, server } = await openApp()
    await app.register(server.fastify())
    await app.register(async (inner) => countVisits(inner, server), { prefix: '/inner' })
    const { headers, body } = await app.inject('/inner/visits')
    expect([body, headers['cache-control'], headers['set-cookie']?.length]).toEqual([
      'visit 1',
      'private, no-store',
      2,
    ])
  })

  it('makes a save that fails an error of the application', async () => {
    const { app, server } = await openApp({ store: faultyStore(memoryStore(), { failOn: 1 }) })
    const causes: unknown[] = []
    app.setErrorHandler<Error>(async (error, _request, reply) => {
      causes.push(error.cause)
      return reply.send('come again')
    })
    await app.register(server.fastify())
    countVisits(app, server)
    const { statusCode, headers, body } = await app.inject('/visits')
    expect([statusCode, body, headers['set-cookie']]).toEqual([503, 'come again', undefined])
    expect(causes).toEqual([expect.objectContaining({ code: 'STORE_FAILED' })])
    expect((await app.inject('/visits')).body).toBe('visit 1')
  })

  it('answers 503 by itself, and says nothing of the store', async () => {
    const { app, server } = await openApp({ store: faultyStore(memoryStore(), { failOn: 1 }) })
    await app.register(server.fastify())
    countVisits(app, server)
    const { statusCode, body } = await app.inject('/visits')
    expect([statusCode, JSON.parse(body).message]).toEqual([
      503,
      'What this page changed could not be saved.',
    ])
    expect(body).not.toContain('faultyStore')
  })

  it('ends the stream that is not sent because a save fails', async () => {
    const { app, server } = await openApp({ store: faultyStore(memoryStore(), { failOn: 1 }) })
    const stream = new Readable({ read() {} })
    await app.register(server.fastify())
    app.get('/', async ({ raw }, reply) => {
      const state = await server.open(raw)
      state.set('visits', 1)
      return reply.send(stream)
    })
    expect((await app.inject('/')).statusCode).toBe(503)
    expect(stream.destroyed).toBe(true)
  })

  it('ends the body of a Response that is not sent because a save fails', async () => {
    const { app, server } = await openApp({ store: faultyStore(memoryStore(), { failOn: 1 }) })
    let isCancelled = false
    await app.register(server.fastify())
    app.get('/', async ({ raw }) => {
      const state = await server.open(raw)
      state.set('visits', 1)
      return new Response(
        new ReadableStream({
          cancel() {
            isCancelled = true
          },
        }),
      )
    })
    expect((await app.inject('/')).statusCode).toBe(503)
    expect(isCancelled).toBe(true)
  })

  it('saves what an error handler sets', async () => {
    const { app, server } = await openApp()
    app.setErrorHandler(async (_error, { raw }, reply) => {
      const state = await server.open(raw)
      state.set('theme', 'dark')
      return reply.code(400).send('no')
    })
    await app.register(server.fastify())
    app.get('/', async () => {
      throw new Error('of this test')
    })
    const { statusCode, headers } = await app.inject('/')
    expect([statusCode, headers['set-cookie']]).toEqual([400, [expect.stringContaining('bb-theme=')]])
  })

  it('takes no cookie for a stream that has not begun, but is on its way', async () => {
    const { app, server } = await openApp()
    await app.register(server.fastify())
    app.get('/', async ({ raw }, reply) => {
      const state = await server.open(raw)
      state.get('theme')
      async function* body() {
        try {
          state.set('theme', 'dark')
        } catch (error) {
          yield String((error as { code?: string }).code)
        }
      }
      return reply.send(Readable.from(body()))
    })
    const { body, headers } = await app.inject('/')
    expect([body, headers['set-cookie']]).toEqual(['HEAD_SENT', undefined])
  })

  it('tells of edits in a reply that the application sends past it', async () => {
    const { app, server, events } = await openApp()
    await app.register(server.fastify())
    app.get('/', async ({ raw }, reply) => {
      const state = await server.open(raw)
      state.set('visits', 1)
      reply.hijack()
      reply.raw.end('hijacked')
    })
    expect((await app.inject('/')).body).toBe('hijacked')
    await app.close()
    expect(events.all).toEqual([{ type: 'unsaved', bins: ['visits'] }])
  })

  it('keeps the headers that a Response is given, but for those that a cache must not see', async () => {
    const { app, server } = await openApp()
    await app.register(server.fastify())
    app.get('/', async ({ raw }, reply) => {
      const state = await server.open(raw)
      reply.header('x-first', '1').header('vary', 'Accept')
      const headers = { 'cache-control': 'public, max-age=9', 'x-second': '2', 'set-cookie': 'other=1' }
      return new Response(`visit ${state.get('visits')}`, { status: 201, headers })
    })
    const { statusCode, headers, body } = await app.inject('/')
    expect([statusCode, body]).toEqual([201, 'visit 0'])
    expect(headers).toMatchObject({
      'cache-control': 'private, max-age=9',
      vary: 'Accept, Cookie',
      'x-first': '1',
      'x-second': '2',
      'set-cookie': 'other=1',
    })
  })
})
