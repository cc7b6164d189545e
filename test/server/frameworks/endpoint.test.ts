import { createServer } from 'node:http'
import express from 'express'
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { BinsError } from '../../../src/core/error.ts'
import { unavailable } from '../../../src/server/errors.ts'
import { toNodeHandler } from '../../../src/server/http/node-handler.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { listen, quietApp, send } from '../../support/sites/express.ts'
import { ORIGIN, openCookieJar } from '../../support/sites/http.ts'
import { cookiesOf, openEvents, openSite, valueIn } from '../../support/sites/requests.ts'
import { codedJson } from '../../support/wire.ts'

const bins = defineBins({
  cart: { schema: z.array(z.string()), browser: 'write', default: [] },
  theme: { storage: 'cookie' },
})

const SAME_ORIGIN = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
const EMPTY = {
  v: 1,
  client: 'client',
  parts: [{ owner: 'visitor', store: 'default', tag: null, cursor: null, ops: [] }],
}

const LINK = { v: 1, token: 'unknown' }

function post(body: unknown, { path = '/bins/sync', headers = {}, method = 'POST' } = {}): Request {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return new Request(new URL(path, ORIGIN), {
    method,
    headers: { ...SAME_ORIGIN, ...headers },
    ...(method === 'GET' || method === 'HEAD' ? {} : { body: text }),
  })
}

describe('the sync endpoint', () => {
  const { server } = openSite(bins)

  it.each(['/', '/bins', '/bins/', '/bins/other', '/bins/sync/', '/other/sync', '/Bins/sync'])(
    'answers 404 at %s',
    async (path) => {
      const response = await server.fetch(post(EMPTY, { path }))
      expect([response.status, await response.json()]).toEqual([404, { error: 'not-found' }])
    },
  )

  it('is where the definitions say', async () => {
    const elsewhere = openSite(defineBins({ cart: {} }, { path: '/api/state' }))
    expect((await elsewhere.server.fetch(post(EMPTY, { path: '/api/state/sync' }))).status).toBe(200)
    expect((await elsewhere.server.fetch(post(EMPTY))).status).toBe(404)
  })

  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])('refuses the method %s', async (method) => {
    for (const path of ['/bins/sync', '/bins/clear', '/bins/link']) {
      const response = await server.fetch(post(EMPTY, { path, method }))
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    }
  })

  it.each([
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/jsonp', 415],
    ['', 415],
    ['application/json', 200],
    ['Application/JSON; charset=utf-8', 200],
  ])('answers the content type %j with %i', async (type, status) => {
    expect((await server.fetch(post(EMPTY, { headers: { 'content-type': type } }))).status).toBe(status)
  })

  it.each<[string, Record<string, string>, number]>([
    ['of this page', { 'sec-fetch-site': 'same-origin' }, 200],
    ['of a sibling site', { 'sec-fetch-site': 'same-site', origin: ORIGIN }, 403],
    ['of another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['typed in', { 'sec-fetch-site': 'none' }, 403],
    ['of an older browser here', { origin: ORIGIN }, 200],
    ['of an older browser elsewhere', { origin: 'https://evil.example' }, 403],
    ['of a program', {}, 403],
  ])('answers a request %s', async (_, headers, status) => {
    for (const path of ['/bins/sync', '/bins/clear', '/bins/link']) {
      const request = new Request(new URL(path, ORIGIN), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(path === '/bins/link' ? LINK : EMPTY),
      })
      // The link is somebody's invention.
      const allowed = path === '/bins/link' ? 404 : 200
      expect((await server.fetch(request)).status).toBe(status === 200 ? allowed : status)
    }
  })

  it('goes by the origin that is configured, behind a proxy', async () => {
    const behind = openSite(bins, { origin: 'https://shop.example' })
    const request = (origin: string) =>
      new Request('http://10.0.0.5:3000/bins/sync', {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin },
        body: JSON.stringify(EMPTY),
      })
    expect((await behind.server.fetch(request('https://shop.example'))).status).toBe(200)
    expect((await behind.server.fetch(request('http://10.0.0.5:3000'))).status).toBe(403)
  })

  describe('with further origins', () => {
    const APP = 'https://app.example'
    const { server: open } = openSite(bins, { origins: [APP, 'https://beta.example:8443/'] })

    /** How a request is answered that a page of an origin sends, and what the page gets to know of it. */
    async function sentFrom(origin: string, { method = 'POST', path = '/bins/sync' } = {}) {
      const headers = { origin, 'sec-fetch-site': 'cross-site', cookie: '' }
      const { status, headers: told } = await open.fetch(post(EMPTY, { method, path, headers }))
      const cors = [...told].filter(([name]) => name.startsWith('access-control-'))
      return { status, vary: told.get('vary'), ...Object.fromEntries(cors) }
    }

    const READABLE = {
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'retry-after, breadbin-set-cookie',
      vary: 'Origin',
    }

    it('answers their pages, with their cookies', async () => {
      expect(await sentFrom(APP)).toEqual({ status: 200, ...READABLE })
      expect(await sentFrom(APP, { path: '/bins/clear' })).toEqual({ status: 200, ...READABLE })
      expect(await sentFrom(APP, { path: '/bins/link' })).toEqual({ status: 400, ...READABLE })
      expect(await sentFrom('https://beta.example:8443')).toMatchObject({
        status: 200,
        'access-control-allow-origin': 'https://beta.example:8443',
      })
    })

    it('lets them read why they are refused', async () => {
      expect(await sentFrom(APP, { method: 'PUT' })).toEqual({ status: 405, ...READABLE })
    })

    it('answers what their browsers ask before', async () => {
      const preflight = {
        'access-control-allow-headers': 'content-type, breadbin-cookie',
        'access-control-max-age': '7200',
      }
      for (const [path, allowed] of [
        ['/bins/sync', 'POST'],
        ['/bins/clear', 'POST'],
        ['/bins/link', 'POST'],
        ['/bins/events', 'GET'],
      ] as const) {
        expect(await sentFrom(APP, { method: 'OPTIONS', path })).toEqual({
          status: 204,
          'access-control-allow-methods': allowed,
          ...preflight,
          ...READABLE,
        })
      }
    })

    it.each([
      'https://evil.example',
      'https://app.example.evil.example',
      'http://app.example',
      'https://app.example:444',
      'https://APP.example',
      'null',
      '',
      `${APP}, https://evil.example`,
    ])('refuses %j as before, and tells caches so', async (origin) => {
      expect(await sentFrom(origin)).toEqual({ status: 403, vary: 'Origin' })
      expect(await sentFrom(origin, { method: 'OPTIONS' })).toEqual({ status: 405, vary: 'Origin' })
    })

    it('makes a visitor for them', async () => {
      const op = { n: 1, bin: 'cart', base: null, text: codedJson(['apple']), age: 0, sv: 1 }
      const body = { ...EMPTY, parts: [{ ...EMPTY.parts[0], ops: [op] }] }
      const headers = { origin: APP, 'sec-fetch-site': 'cross-site' }
      const response = await open.fetch(post(body, { headers }))
      expect([await response.json(), response.headers.getSetCookie().length]).toEqual([
        { v: 1, parts: [], minted: true },
        2,
      ])
    })

    it('says nothing of origins where there are no further ones', async () => {
      const response = await server.fetch(post(EMPTY, { headers: { origin: ORIGIN } }))
      expect(response.headers.get('vary')).toBe(null)
    })

    it('refuses what is no origin', () => {
      for (const each of ['app.example', '*', 'file:///', 'file://', 'app://*', 'https://']) {
        expect(() => serveBins(bins, { origins: [each] })).toThrow(/^origins: pass/)
      }
    })
  })

  it.each([
    ['nothing', ''],
    ['no JSON', '{"v":1'],
    ['no object', '"hello"'],
    ['a list', '[]'],
    ['another protocol', { ...EMPTY, v: 2 }],
    ['no client', { ...EMPTY, client: '' }],
  ])('refuses %s', async (_, body) => {
    const response = await server.fetch(post(body))
    expect([response.status, await response.json()]).toEqual([400, { error: 'malformed' }])
  })

  it.each([
    ['no JSON', '{"v":1'],
    ['another protocol', { ...LINK, v: 2 }],
    ['no token', { v: 1 }],
    ['a token that is none', { ...LINK, token: 1 }],
    ['a long token', { ...LINK, token: 'x'.repeat(257) }],
    ['a choice that is none', { ...LINK, merge: false }],
    ['a key that it does not know', { ...LINK, more: 1 }],
  ])('refuses %s in place of a link', async (_, body) => {
    const response = await server.fetch(post(body, { path: '/bins/link' }))
    expect([response.status, await response.json()]).toEqual([400, { error: 'malformed' }])
  })

  it('refuses what is no UTF-8', async () => {
    const request = new Request(new URL('/bins/sync', ORIGIN), {
      method: 'POST',
      headers: SAME_ORIGIN,
      body: new Uint8Array([0x22, 0xff, 0x22]),
    })
    expect((await server.fetch(request)).status).toBe(400)
  })

  it('takes 128 KiB, and not one byte more', async () => {
    const fill = (bytes: number) => JSON.stringify(EMPTY).padEnd(bytes)
    expect((await server.fetch(post(fill(131_072)))).status).toBe(200)
    for (const path of ['/bins/sync', '/bins/link']) {
      const response = await server.fetch(post(fill(131_073), { path }))
      expect([response.status, await response.json()]).toEqual([413, { error: 'too-large' }])
    }
  })

  it('does not read a body that says how large it is', async () => {
    const init = {
      method: 'POST',
      headers: { ...SAME_ORIGIN, 'content-length': '131073' },
      body: new ReadableStream(),
      duplex: 'half', // Node asks for it; the library of the DOM does not know it.
    }
    const request = new Request(new URL('/bins/sync', ORIGIN), init)
    expect((await server.fetch(request)).status).toBe(413)
    expect(request.bodyUsed).toBe(false)
  })

  it('keeps its answers out of all caches', async () => {
    for (const body of [EMPTY, '']) {
      expect((await server.fetch(post(body))).headers.get('cache-control')).toBe('private, no-store')
    }
  })

  it('answers 503 when the store fails, and says when to come again', async () => {
    const {
      server: failing,
      openBrowser,
      events,
    } = openSite(bins, {
      store: faultyStore(memoryStore(), { failOn: 3 }),
    })
    const { jar, visit } = openBrowser()
    await visit((state) => state.set('cart', ['apple']))
    const response = await failing.fetch(post(EMPTY, { headers: { cookie: jar.header() } }))
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await response.json()).toEqual({ error: 'unavailable' })
    expect(response.headers.getSetCookie()).toEqual([])
    expect(events.types).toEqual(['store-failed', 'sync-failed'])
  })
})

describe('clear', () => {
  const clear = (cookie: string) => post({ v: 1 }, { path: '/bins/clear', headers: { cookie } })

  it('erases the visitor and deletes the cookies that scripts do not see', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => {
      state.set('cart', ['apple'])
      state.set('theme', 'dark')
    })
    const response = await server.fetch(clear(browser.jar.header()))
    expect([response.status, await response.json()]).toEqual([200, { v: 1 }])
    expect(Object.keys(cookiesOf(response)).sort()).toEqual(['__Host-bb', 'bb.o'])
    for (const cookie of Object.values(cookiesOf(response))) expect(cookie.maxAge).toBe(0)
    expect(response.headers.get('cache-control')).toBe('private, no-store')
    expect(await browser.visit((state) => state.get('cart'))).toEqual([])
  })

  it('can be sent twice, and by somebody who is nobody', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', ['apple']))
    for (const cookie of [browser.jar.header(), browser.jar.header(), '']) {
      expect((await server.fetch(clear(cookie))).status).toBe(200)
    }
  })

  it('answers 503 when the store fails, and deletes no cookie', async () => {
    const { server, openBrowser } = openSite(bins, { store: faultyStore(memoryStore(), { failOn: 4 }) })
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', ['apple']))
    const response = await server.fetch(clear(browser.jar.header()))
    expect(response.status).toBe(503)
    expect(response.headers.getSetCookie()).toEqual([])
    expect(await browser.visit((state) => state.get('cart'))).toEqual(['apple'])
  })
})

describe('toNodeHandler', () => {
  const MOUNTS = {
    'node:http': (handle: ReturnType<typeof toNodeHandler>) => createServer(handle).listeners('request')[0],
    'express, at the root': (handle: ReturnType<typeof toNodeHandler>) => quietApp().use(handle),
    'express, at the path': (handle: ReturnType<typeof toNodeHandler>) => quietApp().use('/bins', handle),
    'express, by routes': (handle: ReturnType<typeof toNodeHandler>) => quietApp().all('/bins/*rest', handle),
  }

  describe.each(Object.entries(MOUNTS))('on %s', (_, mount) => {
    async function serve<Result>(use: (server: Awaited<ReturnType<typeof listen>>) => Promise<Result>) {
      const events = openEvents()
      const server = serveBins(bins, { store: memoryStore(), onEvent: events.onEvent })
      // `listeners` are functions, and so are apps.
      const listening = await listen(mount(toNodeHandler(server.fetch)) as Parameters<typeof listen>[0])
      try {
        return await use(listening)
      } finally {
        await listening.close()
      }
    }

    const sent = (body: string | AsyncIterable<Uint8Array>, headers = {}) => ({
      method: 'POST',
      path: '/bins/sync',
      headers: { ...SAME_ORIGIN, ...headers },
      body,
    })

    it('syncs, with the cookies that it sets', async () => {
      await serve(async (server) => {
        const op = { n: 1, bin: 'cart', base: null, text: codedJson(['apple']), age: 0, sv: 1 }
        const part = {
          owner: 'visitor',
          store: 'default',
          tag: null as string | null,
          cursor: null,
          ops: [op],
        }
        const minted = await send(server, sent(JSON.stringify({ v: 1, client: 'c', parts: [part] })))
        expect(JSON.parse(minted?.body ?? '')).toEqual({ v: 1, parts: [], minted: true })
        const jar = openCookieJar(Date.now)
        for (const line of [minted?.headers['set-cookie'] ?? []].flat()) jar.set(line)
        part.tag = valueIn(jar, 'bb.o') ?? null
        const body = JSON.stringify({ v: 1, client: 'c', parts: [part] })
        const synced = await send(server, sent(body, { cookie: jar.header() }))
        expect(JSON.parse(synced?.body ?? '')).toMatchObject({
          parts: [{ results: [{ n: 1, state: 'ok' }] }],
        })
      })
    })

    it('checks the Origin against the Host', async () => {
      await serve(async (server) => {
        const headers = { 'content-type': 'application/json' }
        const request = { method: 'POST', path: '/bins/sync', body: JSON.stringify(EMPTY) }
        const own = await send(server, { ...request, headers: { ...headers, origin: server.url } })
        const foreign = await send(server, {
          ...request,
          headers: { ...headers, origin: 'http://evil.example' },
        })
        expect([own?.status, foreign?.status]).toEqual([200, 403])
      })
    })

    it('refuses a large body, whether its length is told or not', async () => {
      await serve(async (server) => {
        const told = await send(server, sent('x'.repeat(200_000)))
        expect(told?.status).toBe(413)
        const chunked = await send(server, sent(chunks(20)))
        expect(chunked?.status).toBe(413)
        const fitting = await send(server, sent(JSON.stringify(EMPTY)))
        expect(fitting?.status).toBe(200)
      })
    })

    it('answers 404 elsewhere', async () => {
      await serve(async (server) => {
        expect((await send(server, { ...sent('{}'), path: '/bins/other' }))?.status).toBe(404)
      })
    })
  })

  it.each<[string, unknown, number]>([
    ['500 if the function throws', new Error('broken'), 500],
    ['503 if a store has failed', unavailable(new BinsError('STORE_FAILED', 'broken')), 503],
  ])('answers %s, and tells of it', async (_, error, status) => {
    const errors: unknown[] = []
    const fetch = () => Promise.reject(error)
    const server = await listen(toNodeHandler(fetch, { onError: (each) => errors.push(each) }))
    const got = await send(server)
    expect(got?.status).toBe(status)
    expect(got?.body).not.toContain('broken')
    expect(errors).toEqual([error])
    await server.close()
  })

  it('answers 500 if there is no response', async () => {
    const errors: unknown[] = []
    const nothing = (async () => {}) as never
    const server = await listen(toNodeHandler(nothing, { onError: (error) => errors.push(error) }))
    expect((await send(server))?.status).toBe(500)
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringMatching(/return a Response/) })])
    await server.close()
  })

  it('refuses what is no function', () => {
    expect(() => toNodeHandler({ fetch() {} } as never)).toThrow(/server\.fetch/)
  })

  it.each([
    ['JSON', express.json({ limit: '1mb' })],
    ['text', express.text({ type: '*/*', limit: '1mb' })],
    ['bytes', express.raw({ type: '*/*', limit: '1mb' })],
  ])('takes a body that a parser has read as %s', async (_, parser) => {
    const { fetch } = serveBins(bins, { store: memoryStore() })
    const server = await listen(quietApp().use(parser).use('/bins', toNodeHandler(fetch)))
    const sent = { method: 'POST', path: '/bins/sync', headers: SAME_ORIGIN }
    expect((await send(server, { ...sent, body: JSON.stringify(EMPTY) }))?.status).toBe(200)
    const large = JSON.stringify({ ...EMPTY, client: 'x'.repeat(200_000) })
    expect((await send(server, { ...sent, body: large }))?.status).toBe(413)
    await server.close()
  })

  it('leaves a request as it was for whoever logs it', async () => {
    const urls: unknown[] = []
    const app = quietApp().use('/bins', (request, response, next) => {
      response.once('finish', () => urls.push(request.url))
      next()
    })
    const server = await listen(
      app.use('/bins', toNodeHandler(serveBins(bins, { store: memoryStore() }).fetch)),
    )
    await send(server, { path: '/bins/sync' })
    await expect.poll(() => urls).toEqual(['/sync'])
    await server.close()
  })
})

async function* chunks(count: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < count; sent += 1) yield Buffer.alloc(10_000, ' ')
}
