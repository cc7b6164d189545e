import { afterEach, describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { COOKIE_HEADER } from '../../src/core/cookie/cookie-header.ts'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { BinsError } from '../../src/core/error.ts'
import { toNodeHandler } from '../../src/server/http/node-handler.ts'
import type { ServerOptions } from '../../src/server/options.ts'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { openClock } from '../support/clock.ts'
import { type Carrier, carriedIn, openCarrier } from '../support/sites/carrier.ts'
import { type Got, type Listening, listen, send } from '../support/sites/express.ts'
import { frameworks, bins as pageBins } from '../support/sites/frameworks.ts'
import { openCookieJar } from '../support/sites/http.ts'
import { openEvents, SECRETS } from '../support/sites/requests.ts'
import { codedJson } from '../support/wire.ts'

const APP = 'https://app.example'
const PAGE = { origin: APP, 'sec-fetch-site': 'cross-site' }
const JSON_OF_PAGE = { ...PAGE, 'content-type': 'application/json' }

const bins = defineBins({
  cart: { schema: z.array(z.string()), browser: 'write', default: [] },
  address: { schema: z.string(), browser: 'write', scope: 'user' },
  theme: { storage: 'cookie' },
  secret: { storage: 'cookie', browser: 'none' },
  tab: { schema: z.string(), browser: 'write', maxAge: 'session' },
})

const closing: Listening[] = []
afterEach(() => Promise.all(closing.splice(0).map((server) => server.close())))

/** Serves the bins over HTTP: the sync endpoint, and pages that set and show them. */
async function serve(options: ServerOptions = {}) {
  const clock = openClock()
  const events = openEvents()
  const server = serveBins(bins, {
    store: memoryStore(),
    clock,
    secrets: SECRETS,
    origins: [APP],
    user: ({ headers }) => new Headers(headers as HeadersInit).get('x-user'),
    onEvent: events.onEvent,
    ...options,
  })
  const listening = await listen(
    toNodeHandler(async (request) => {
      const { pathname, searchParams } = new URL(request.url)
      if (pathname.startsWith('/bins/')) return server.fetch(request)
      return server
        .handle(request, async (state) => {
          const fruit = searchParams.get('set')
          if (fruit !== null) {
            state.set('cart', [fruit])
            state.set('theme', fruit)
            state.set('secret', fruit)
          }
          if (pathname === '/rotate') await state.rotate()
          return Response.json([state.get('cart'), state.get('theme'), state.get('secret')])
        })
        .catch((cause) => Response.json(cause instanceof BinsError ? cause.code : 'broken', { status: 500 }))
    }),
  )
  closing.push(listening)
  return { listening, clock, events }
}

/** Sends ops as a page of the app does, with the tag that it knows. */
function sync(
  carrier: Carrier,
  ops: readonly object[] = [],
  headers: Record<string, string> = {},
): Promise<Got> {
  const [tag = null] = (carrier.cookies.get('bb.o') ?? '').split('.').filter((each) => each !== '')
  const part = { owner: 'visitor', store: 'default', tag, cursor: null, ops }
  const body = JSON.stringify({ v: 1, client: 'c', parts: [part] })
  return carrier.browse('/bins/sync', { method: 'POST', headers: { ...JSON_OF_PAGE, ...headers }, body })
}

const op = (fruit: string, n = 1) => ({ n, bin: 'cart', base: null, text: codedJson([fruit]), age: 0, sv: 1 })

const bodyOf = ({ body }: Got): unknown => JSON.parse(body)

describe.each(Object.entries(frameworks))('bins that a header carries, in %s', (_, start) => {
  it('are kept from one request to the next, and no cookie is set', async () => {
    const server = serveBins(pageBins, { store: memoryStore(), origins: [APP] })
    const listening = await start(server, {
      routes: {
        '/': async (open) => {
          const state = await open()
          state.set('theme', 'dark')
          state.set('visits', state.get('visits') + 1)
          return { body: `${state.get('theme')} ${state.get('visits')}` }
        },
        '/read': async (open) => ({ body: `${(await open()).get('theme')}` }),
      },
    })
    closing.push(listening)
    const carrier = openCarrier(listening)
    const first = await carrier.browse('/', { method: 'POST', headers: PAGE })
    const second = await carrier.browse('/', { method: 'POST', headers: PAGE })
    expect([first.body, second.body]).toEqual(['dark 1', 'dark 2'])
    expect(first.headers).toMatchObject({
      'access-control-expose-headers': 'breadbin-set-cookie',
      'cache-control': 'private, no-store',
      vary: 'Cookie, breadbin-cookie',
    })
    expect([first, second].map(({ headers }) => headers['set-cookie'])).toEqual([undefined, undefined])
    expect([...carrier.cookies.keys()].sort()).toEqual(['bb', 'bb-theme', 'bb.o'])
    const read = await carrier.browse('/read', { headers: PAGE })
    expect([read.body, read.headers['breadbin-set-cookie']]).toEqual(['dark', undefined])
  })
})

describe('transport by a header', () => {
  it('stands beside transport by cookies: each has a visitor of its own', async () => {
    const { listening } = await serve()
    const carrier = openCarrier(listening)
    const jar = openCookieJar(Date.now)
    const browse = async (path: string) => {
      const got = await send(listening, { path, headers: { cookie: jar.header() } })
      for (const line of [got?.headers['set-cookie'] ?? []].flat()) jar.set(line)
      return got
    }
    await browse('/?set=apple')
    await carrier.browse('/?set=pear', { headers: PAGE })
    expect((await browse('/'))?.body).toBe('[["apple"],"apple","apple"]')
    expect((await carrier.browse('/', { headers: PAGE })).body).toBe('[["pear"],"pear","pear"]')
  })

  it('counts alone where there are cookies, too', async () => {
    const { listening } = await serve()
    const jar = openCookieJar(Date.now)
    const set = await send(listening, { path: '/?set=apple' })
    for (const line of [set?.headers['set-cookie'] ?? []].flat()) jar.set(line)
    const headers = { ...PAGE, cookie: jar.header() }
    const carrier = openCarrier(listening)
    expect(bodyOf(await carrier.browse('/', { headers }))).toEqual(
      [[], null, null].map((each) => each ?? null),
    )
    const other = await carrier.browse('/?set=pear', { headers })
    expect(other.headers['set-cookie']).toBeUndefined()
    expect(bodyOf(await carrier.browse('/', { headers }))).toEqual([['pear'], 'pear', 'pear'])
    const own = await send(listening, { path: '/', headers: { cookie: jar.header() } })
    expect(own?.body).toBe('[["apple"],"apple","apple"]')
  })

  it('syncs: makes a visitor, applies its edits, and says so in the header alone', async () => {
    const { listening } = await serve()
    const carrier = openCarrier(listening)
    const minted = await sync(carrier, [op('apple')])
    expect(bodyOf(minted)).toEqual({ v: 1, parts: [], minted: true })
    expect(minted.headers).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-expose-headers': 'retry-after, breadbin-set-cookie',
      'cache-control': 'private, no-store',
      vary: 'Origin, breadbin-cookie',
    })
    expect(carriedIn(minted)).toEqual([
      ['bb', expect.stringMatching(/^[\w-]{22}\.[\w-]{43}$/), 660],
      ['bb.o', expect.stringMatching(/^[\w-]{16}$/), 660],
    ])
    const synced = await sync(carrier, [op('apple')])
    expect(bodyOf(synced)).toMatchObject({ parts: [{ results: [{ n: 1, state: 'ok' }] }] })
    expect([minted, synced].map(({ headers }) => headers['set-cookie'])).toEqual([undefined, undefined])
    expect(bodyOf(await carrier.browse('/', { headers: PAGE }))).toEqual([['apple'], null, null])
  })

  it('follows the browser session', async () => {
    const { listening } = await serve()
    const carrier = openCarrier(listening)
    const draft = { ...op('apple'), bin: 'tab', text: codedJson('text') }
    await sync(carrier, [draft])
    const synced = await sync(carrier, [draft])
    expect(carriedIn(synced)).toContainEqual(['bb.s', expect.anything(), undefined])
  })

  it('answers a request that waits for news', async () => {
    const { listening } = await serve()
    const carrier = openCarrier(listening)
    await carrier.browse('/?set=apple', { headers: PAGE })
    const news = await carrier.browse('/bins/events?known={}', { headers: PAGE })
    expect(bodyOf(news)).toMatchObject({ cursors: { default: expect.any(String) } })
    expect(news.headers).toMatchObject({ vary: 'Origin, breadbin-cookie' })
    const nobody = await openCarrier(listening).browse('/bins/events?known={}', { headers: PAGE })
    expect(nobody.status).toBe(204)
  })

  it('clears, and deletes what the header carries', async () => {
    const { listening } = await serve()
    const carrier = openCarrier(listening)
    await carrier.browse('/?set=apple', { headers: PAGE })
    const clear = { method: 'POST', headers: JSON_OF_PAGE, body: '{"v":1}' }
    const cleared = await carrier.browse('/bins/clear', clear)
    expect(carriedIn(cleared).map(([name, , maxAge]) => [name, maxAge])).toEqual([
      ['bb', 0],
      ['bb.o', 0],
      ['bb-secret', 0],
    ])
    expect([cleared.status, cleared.headers['set-cookie']]).toEqual([200, undefined])
    expect(bodyOf(await carrier.browse('/', { headers: PAGE }))).toEqual([[], 'apple', null])
  })

  it('gets another secret when somebody logs in, and loses the user at a logout', async () => {
    const { listening } = await serve()
    const carrier = openCarrier(listening)
    await sync(carrier, [op('apple')])
    await sync(carrier, [op('apple')])
    const before = carrier.cookies.get('bb')
    const planted = new Map(carrier.cookies)
    await sync(carrier, [], { 'x-user': 'ann' })
    const after = carrier.cookies.get('bb')
    expect(after?.split('.')[0]).toBe(before?.split('.')[0])
    expect(after).not.toBe(before)
    expect(carrier.cookies.get('bb.o')).toMatch(/\.u\./)
    const attacker = openCarrier(listening)
    for (const [name, value] of planted) attacker.cookies.set(name, value)
    expect(bodyOf(await attacker.browse('/', { headers: PAGE }))).toEqual([[], null, null])
    expect(bodyOf(await carrier.browse('/', { headers: { ...PAGE, 'x-user': 'ann' } }))).toEqual([
      ['apple'],
      null,
      null,
    ])
    await sync(carrier)
    expect(carrier.cookies.get('bb.o')).not.toMatch(/\./)
    expect(bodyOf(await carrier.browse('/', { headers: PAGE }))).toEqual([['apple'], null, null])
  })

  it('gets another secret on demand', async () => {
    const { listening, clock } = await serve()
    const carrier = openCarrier(listening)
    await carrier.browse('/?set=apple', { headers: PAGE })
    const former = openCarrier(listening)
    for (const [name, value] of carrier.cookies) former.cookies.set(name, value)
    await carrier.browse('/rotate', { method: 'POST', headers: PAGE })
    expect(bodyOf(await carrier.browse('/', { headers: PAGE }))).toEqual([['apple'], 'apple', 'apple'])
    clock.advance(31_000)
    expect(bodyOf(await former.browse('/', { headers: PAGE }))).toEqual([[], 'apple', 'apple'])
  })

  describe('of whom nobody has listed', () => {
    it.each<[string, Record<string, string>]>([
      ['a page of another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
      ['a page of a sibling site', { origin: 'https://evil.app.example', 'sec-fetch-site': 'same-site' }],
      ['a page of an older browser', { origin: 'https://evil.example' }],
      ['a file', { origin: 'null' }],
      ['an extension', { 'sec-fetch-site': 'none' }],
    ])('is refused: %s', async (__, headers) => {
      const { listening } = await serve()
      const carrier = openCarrier(listening)
      await carrier.browse('/?set=apple', { headers: PAGE })
      const json = { ...headers, 'content-type': 'application/json' }
      for (const sent of [
        { path: '/bins/sync', method: 'POST', headers: json, body: '{"v":1}' },
        { path: '/bins/clear', method: 'POST', headers: json, body: '{"v":1}' },
        { path: '/bins/events?known={}', headers },
      ]) {
        const refused = await carrier.browse(sent.path, sent)
        expect([refused.status, bodyOf(refused)]).toEqual([403, { error: 'origin' }])
        expect(carriedIn(refused)).toEqual([])
      }
      expect(bodyOf(await carrier.browse('/', { headers }))).toEqual([[], null, null])
      const written = await carrier.browse('/?set=pear', { headers })
      expect([bodyOf(written), carriedIn(written)]).toEqual(['NO_VISITOR', []])
      expect(bodyOf(await carrier.browse('/', { headers: PAGE }))).toEqual([['apple'], 'apple', 'apple'])
    })
  })

  it('is for apps, which have no origin; without the header they are refused as before', async () => {
    const { listening } = await serve({ origins: [] })
    const carrier = openCarrier(listening)
    const headers = { 'content-type': 'application/json' }
    const sent = { method: 'POST', path: '/bins/clear', headers, body: '{"v":1}' }
    expect((await carrier.browse('/bins/clear', sent)).status).toBe(200)
    expect((await send(listening, sent))?.status).toBe(403)
    await carrier.browse('/?set=apple')
    expect(bodyOf(await carrier.browse('/'))).toEqual([['apple'], 'apple', 'apple'])
  })

  it('is for pages that an app brings along, by their own kind of origin', async () => {
    const { listening } = await serve({ origins: ['capacitor://localhost'] })
    const carrier = openCarrier(listening)
    const statusOf = async (origin: string) => {
      const headers = { origin, 'content-type': 'application/json' }
      return (await carrier.browse('/bins/clear', { method: 'POST', headers, body: '{"v":1}' })).status
    }
    expect(await statusOf('capacitor://localhost')).toBe(200)
    expect(await statusOf('tauri://localhost')).toBe(403)
  })

  it('is for pages of this site, such as those in frames of others', async () => {
    const { listening } = await serve({ origins: [] })
    const carrier = openCarrier(listening)
    const headers = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' }
    const cleared = await carrier.browse('/bins/clear', { method: 'POST', headers, body: '{"v":1}' })
    expect(cleared.status).toBe(200)
  })

  it('is allowed by what browsers ask before', async () => {
    const { listening } = await serve()
    const headers = { ...PAGE, 'access-control-request-headers': COOKIE_HEADER }
    const preflight = await send(listening, { method: 'OPTIONS', path: '/bins/events', headers })
    expect([preflight?.status, preflight?.headers['access-control-allow-headers']]).toEqual([
      204,
      'content-type, breadbin-cookie',
    ])
  })

  it.each([
    '',
    '-',
    ';;;===',
    'bb',
    'bb=',
    'bb=x',
    '__proto__=1; constructor=2',
    'bb=../../../etc/passwd; bb.o=..; bb.s=',
    `bb=${'A'.repeat(22)}.${'A'.repeat(43)}`,
    `bb=${'A'.repeat(22)}.${'A'.repeat(43)}, bb=1`,
    '[1,2,{"a":"b"}]',
    'bb-theme=1.zzzz; bb-secret=1e.AAAA.AAAA; bb-cart=1',
    'ÿ\u0080¿',
    'a=;'.repeat(50),
  ])('takes %j for nobody', async (carried) => {
    const { listening } = await serve()
    const headers = { ...JSON_OF_PAGE, [COOKIE_HEADER]: carried }
    const carrier = openCarrier(listening)
    expect(bodyOf(await carrier.browse('/', { headers }))).toEqual([[], null, null])
    expect((await sync(carrier, [], { [COOKIE_HEADER]: carried })).status).toBe(200)
    const events = await carrier.browse('/bins/events?known={}', { headers })
    expect([events.status, carrier.cookies.size]).toEqual([204, 0])
  })

  it('tells caches that others carry their cookies in a header, where they may', async () => {
    const { listening } = await serve()
    const alone = await serve({ origins: [] })
    const varyOf = async (server: Listening) => (await send(server, { path: '/' }))?.headers.vary
    expect(await varyOf(listening)).toBe('Cookie, breadbin-cookie')
    expect(await varyOf(alone.listening)).toBe('Cookie')
  })

  it('leaves what the application says in these headers, and replaces what it said itself', async () => {
    const server = serveBins(pageBins, { store: memoryStore(), origins: [APP] })
    const request = new Request('https://example.org/', {
      method: 'POST',
      headers: { ...PAGE, [COOKIE_HEADER]: '-' },
    })
    const state = await server.open(request)
    state.set('theme', 'dark')
    const headers = { vary: 'Accept', 'access-control-expose-headers': 'ETag', 'set-cookie': 'own=1' }
    const once = await state.save(new Response(null, { headers }))
    state.set('theme', 'light')
    const twice = await state.save(once)
    expect(twice.headers.getSetCookie()).toEqual(['own=1'])
    expect(twice.headers.get('access-control-expose-headers')).toBe('ETag, breadbin-set-cookie')
    expect(twice.headers.get('breadbin-set-cookie')).toMatch(/^bb-theme=[^,]*'light'[^,]*; Max-Age=2592000$/)
  })
})
