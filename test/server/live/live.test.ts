import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { ServerOptions } from '../../../src/server/options.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { openTimers } from '../../support/clock.ts'
import { ORIGIN } from '../../support/sites/http.ts'
import { fire, readEvents, seededRandom, settle } from '../../support/sites/live.ts'
import { openSignal, openSite, type SiteBrowser } from '../../support/sites/requests.ts'

const list = z.array(z.string())
const bins = defineBins({
  cart: { schema: list, browser: 'write', default: [] },
  hidden: { default: 0 },
  quick: { schema: list, browser: 'read', store: 'fast', default: [] },
  secret: { store: 'vault', default: '' },
})

function open(options: ServerOptions = {}) {
  const timers = openTimers()
  const stores = { fast: memoryStore(), vault: memoryStore() }
  const site = openSite(bins, { stores, random: seededRandom(7), timer: timers.start, ...options })
  const browser = site.openBrowser()
  const get = (query = '', init: RequestInit = {}, from: SiteBrowser<typeof bins> = browser) =>
    site.server.fetch(requestFor(from, query, init))
  return {
    ...site,
    timers,
    browser,
    /** A browser whose visitor is there. */
    async enter() {
      await browser.visit((state) => state.set('cart', ['apple']))
    },
    get,
    poll: (known: unknown, init: RequestInit = {}) =>
      get(`?known=${encodeURIComponent(JSON.stringify(known))}`, init),
  }
}

function requestFor(browser: SiteBrowser<typeof bins>, query: string, init: RequestInit): Request {
  const headers = { 'sec-fetch-site': 'same-origin', cookie: browser.jar.header(), ...init.headers }
  return new Request(new URL(`/bins/events${query}`, ORIGIN), { ...init, headers })
}

const cursorsOf = (data: unknown) => (data as { cursors: Record<string, string> }).cursors

describe('who may listen', () => {
  it.each<[string, Record<string, string>, number]>([
    ['of this page', { 'sec-fetch-site': 'same-origin' }, 204],
    ['of an older browser here', {}, 204],
    ['of an older browser here that says so', { origin: ORIGIN }, 204],
    ['of an older browser elsewhere', { origin: 'https://evil.example' }, 403],
    ['of a sibling site', { 'sec-fetch-site': 'same-site' }, 403],
    ['of another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['typed in', { 'sec-fetch-site': 'none' }, 403],
  ])('answers a request %s', async (_, headers, status) => {
    const { server } = open()
    const request = new Request(new URL('/bins/events', ORIGIN), { headers })
    expect((await server.fetch(request)).status).toBe(status)
  })

  it.each(['POST', 'HEAD', 'PUT', 'DELETE'])('refuses the method %s', async (method) => {
    const response = await open().get('', { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET'])
  })

  it('tells nobody to stop asking, and sets no cookie', async () => {
    const { enter, get, browser, openBrowser, clock } = open()
    const stranger = openBrowser()
    stranger.jar.set(`__Host-bb=${'A'.repeat(22)}.${'B'.repeat(43)}; Path=/; Secure`)
    await enter()
    await browser.visit((state) => state.clear())
    for (const query of ['', '?known=%7B%7D']) {
      for (const response of [await get(query, {}, openBrowser()), await get(query, {}, stranger)]) {
        expect([response.status, response.headers.getSetCookie()]).toEqual([204, []])
        expect(response.headers.get('cache-control')).toBe('private, no-store')
      }
      expect((await get(query)).status).toBe(204)
    }
    clock.advance(500 * 86_400_000)
    expect((await get()).status).toBe(204)
  })

  it('has nothing to tell where browsers see no server bin', async () => {
    const site = openSite(defineBins({ cart: {} }))
    const browser = site.openBrowser()
    await browser.visit((state) => state.set('cart', 1))
    const headers = { cookie: browser.jar.header() }
    const response = await site.server.fetch(new Request(new URL('/bins/events', ORIGIN), { headers }))
    expect(response.status).toBe(204)
    await browser.visit((state) => state.set('cart', 2))
  })

  it.each([1, 2])('answers 503 when the store fails, call %i', async (failOn) => {
    const store = memoryStore()
    const { enter, browser } = open({ store })
    await enter()
    const { get, timers } = open({ store: faultyStore(store, { failOn }) })
    const response = await get('', {}, browser)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(timers.waiting).toEqual([])
    expect((await get('', {}, browser)).status).toBe(200)
  })
})

describe('a stream', () => {
  it('says hello with a cursor for each store that the browser may see into', async () => {
    const { enter, get, browser } = open()
    await enter()
    await browser.visit((state) => state.set('secret', 'x'))
    const response = await get()
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/event-stream',
      'cache-control': 'private, no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    const hello = await readEvents(response).next()
    expect(hello).toEqual({
      event: 'hello',
      data: { v: 1, cursors: { default: expect.stringMatching(/^[\w-]+\.\d+\.[\w-]+$/), fast: '0.0.0' } },
    })
  })

  it('says the cursor that a sync would answer', async () => {
    const { enter, get, browser, server } = open()
    await enter()
    const hello = await readEvents(await get()).next()
    const part = { owner: 'visitor', store: 'default', tag: null as unknown, cursor: null, ops: [] }
    part.tag = /bb\.o=([^;]+)/.exec(browser.jar.header())?.[1]
    const synced = await server.fetch(
      new Request(new URL('/bins/sync', ORIGIN), {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: ORIGIN, cookie: browser.jar.header() },
        body: JSON.stringify({ v: 1, client: 'c', parts: [part] }),
      }),
    )
    const { parts } = (await synced.json()) as { parts: [{ cursor: string }] }
    expect(cursorsOf(hello?.data).default).toBe(parts[0].cursor)
  })

  it('pokes with the stores that moved, and nothing else', async () => {
    const { enter, get, browser, clock, timers } = open()
    await enter()
    const events = readEvents(await get())
    const hello = await events.next()
    clock.advance(1_000)
    await browser.visit((state) => state.set('cart', ['pear']))
    const poke = await events.next()
    expect(poke).toEqual({ event: 'poke', data: { v: 1, cursors: { default: expect.any(String) } } })
    expect(cursorsOf(poke?.data).default).not.toBe(cursorsOf(hello?.data).default)
    fire(timers, 'collecting')
    await browser.visit((state) => state.set('quick', ['fig']))
    expect(Object.keys(cursorsOf((await events.next())?.data))).toEqual(['fast'])
  })

  it('collects the changes of a tenth of a second', async () => {
    const { enter, get, browser, timers } = open()
    await enter()
    const events = readEvents(await get())
    await events.next()
    const edit = (fruit: string) => browser.visit((state) => state.set('cart', [fruit]))
    await edit('a')
    const first = await events.next()
    await edit('b')
    await edit('c')
    expect(fire(timers, 'collecting')).toBe(1)
    const second = await events.next()
    expect(first?.event).toBe('poke')
    expect(cursorsOf(second?.data).default).not.toBe(cursorsOf(first?.data).default)
    expect(fire(timers, 'collecting')).toBe(1)
    await events.cancel()
    expect(timers.waiting).toEqual([])
  })

  it('is silent about what the browser may not see', async () => {
    const { enter, get, browser, timers } = open()
    await enter()
    const events = readEvents(await get())
    await events.next()
    await browser.visit((state) => state.set('secret', 'x'))
    fire(timers, 'heartbeat')
    expect(await events.next()).toEqual({ event: undefined, data: null })
  })

  it('misses nothing that happens while it is opened', async () => {
    const memory = memoryStore()
    const { enter, browser } = open({ store: memory })
    await enter()
    const reading = openSignal()
    let reads = 0
    const { get, server } = open({
      store: {
        ...memory,
        async read(key, options) {
          const answer = await memory.read(key, options)
          reads += 1
          // The first read tells who it is, the second where the record is.
          if (reads === 2) await reading.given
          return answer
        },
      },
    })
    const opening = get('', {}, browser)
    await settle()
    const state = await server.open(browser.request())
    state.set('cart', ['late'])
    await state.save(new Response())
    reading.give()
    const hello = await readEvents(await opening).next()
    expect(hello).toEqual(await readEvents(await get('', {}, browser)).next())
  })

  it('beats every 15 s, and says bye after 4 to 6 minutes', async () => {
    const { enter, get, timers } = open()
    await enter()
    const events = readEvents(await get())
    await events.next()
    let beats = 0
    while (fire(timers, 'heartbeat') === 1) {
      expect((await events.next())?.event).toBeUndefined()
      beats += 1
    }
    const [last] = timers.waiting.filter(({ ms }) => ms < 15_000)
    const life = beats * 15_000 + (last?.ms ?? 0)
    expect(life).toBeGreaterThanOrEqual(240_000)
    expect(life).toBeLessThanOrEqual(360_000)
    last?.fire()
    expect(await events.next()).toEqual({ event: 'bye', data: { v: 1, retryMs: expect.any(Number) } })
    expect(await events.next()).toBeUndefined()
    expect(timers.waiting).toEqual([])
  })

  it('says that the visitor is gone, and ends', async () => {
    const { enter, get, browser, timers } = open()
    await enter()
    const events = readEvents(await get())
    await events.next()
    await browser.visit((state) => state.clear())
    expect(await events.next()).toEqual({
      event: 'poke',
      data: { v: 1, cursors: { default: '0.0.0' } },
    })
    expect((await events.next())?.event).toBe('bye')
    expect(await events.next()).toBeUndefined()
    expect(timers.waiting).toEqual([])
  })

  it('ends for a visitor that expires', async () => {
    const { enter, get, clock, timers } = open()
    await enter()
    const events = readEvents(await get())
    await events.next()
    clock.advance(500 * 86_400_000)
    fire(timers, 'check')
    expect((await events.next())?.event).toBe('poke')
    expect((await events.next())?.event).toBe('bye')
    expect(timers.waiting).toEqual([])
  })

  it('is dropped if the page does not read it', async () => {
    const { enter, get, timers } = open()
    await enter()
    const response = await get()
    // hello and 15 heartbeats fill the queue.
    for (let beat = 0; beat < 15; beat += 1) expect(fire(timers, 'heartbeat')).toBe(1)
    expect(fire(timers, 'heartbeat')).toBe(1)
    expect(timers.waiting).toEqual([])
    await expect(readEvents(response).next()).rejects.toThrow(/does not read/)
  })

  it('is not opened for a page that has gone away', async () => {
    const { enter, get, timers } = open()
    await enter()
    expect((await get('', { signal: AbortSignal.abort() })).status).toBe(204)
    expect(timers.waiting).toEqual([])
  })
})

describe('a long poll', () => {
  it('answers at once if a cursor differs from what is known', async () => {
    const { enter, poll, timers } = open()
    await enter()
    const response = await poll({})
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'private, no-store'])
    const { cursors } = (await response.json()) as { cursors: Record<string, string> }
    expect(Object.keys(cursors)).toEqual(['default', 'fast'])
    expect((await poll({ ...cursors, fast: 'a.1.b' })).status).toBe(200)
    expect(timers.waiting.filter(({ ms }) => ms !== 100)).toEqual([])
  })

  it('answers as soon as a record moves', async () => {
    const { enter, poll, browser, timers } = open()
    await enter()
    const known = cursorsOf(await (await poll({})).json())
    const polling = poll(known)
    await settle()
    await browser.visit((state) => state.set('quick', ['fig']))
    const cursors = cursorsOf(await (await polling).json())
    expect(cursors.default).toBe(known.default)
    expect(cursors.fast).not.toBe(known.fast)
    expect(timers.waiting).toEqual([])
  })

  it('answers after 25 s with what there is', async () => {
    const { enter, poll, timers } = open()
    await enter()
    const known = cursorsOf(await (await poll({})).json())
    const polling = poll({ ...known, elsewhere: 'a.1.b' })
    await settle()
    expect(fire(timers, 'poll')).toBe(1)
    expect(await (await polling).json()).toEqual({ v: 1, cursors: known })
    expect(timers.waiting).toEqual([])
  })

  it('ends with the request', async () => {
    const { enter, poll, timers } = open()
    await enter()
    const known = cursorsOf(await (await poll({})).json())
    const leaving = new AbortController()
    const polling = poll(known, { signal: leaving.signal })
    await settle()
    leaving.abort()
    await polling
    expect(timers.waiting).toEqual([])
  })

  it.each([
    ['nothing', ''],
    ['no JSON', '%7B'],
    ['a list', '%5B%5D'],
    ['a number', JSON.stringify({ default: 1 })],
    ['an empty cursor', JSON.stringify({ default: '' })],
    ['a long cursor', JSON.stringify({ default: 'x'.repeat(129) })],
    ['an odd store', JSON.stringify({ 'a b': '1' })],
  ])('refuses %s', async (_, known) => {
    const { enter, get } = open()
    await enter()
    const response = await get(`?known=${known}`)
    expect([response.status, await response.json()]).toEqual([400, { error: 'malformed' }])
  })
})

describe('limits', () => {
  it('gives one visitor 30 streams', async () => {
    const { enter, get, openBrowser, timers } = open()
    await enter()
    const open30 = await Promise.all(Array.from({ length: 30 }, () => get()))
    expect(open30.map(({ status }) => status)).toEqual(open30.map(() => 200))
    const refused = await get()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
    const other = openBrowser()
    await other.visit((state) => state.set('cart', ['pear']))
    expect((await get('', {}, other)).status).toBe(200)
    await open30[0]?.body?.cancel()
    expect((await get()).status).toBe(200)
    expect(timers.waiting.filter(({ ms }) => ms === 15_000)).toHaveLength(31)
  })

  it('gives all together maxStreams, before it asks the store', async () => {
    const { enter, get, store } = open({ maxStreams: 2 })
    await enter()
    const [first] = [await get(), await get()]
    const calls = store.calls.length
    const refused = await get()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '60'])
    expect(store.calls.length).toBe(calls)
    await first?.body?.cancel()
    expect((await get()).status).toBe(200)
  })

  it('counts streams that are being opened', async () => {
    const { enter, get } = open({ maxStreams: 2 })
    await enter()
    const answers = await Promise.all([get(), get(), get(), get()])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 503, 503])
  })

  it.each([-1, Number.NaN])('refuses maxStreams %s', (maxStreams) => {
    expect(() => open({ maxStreams })).toThrow(/^maxStreams: /)
  })
})

describe('close', () => {
  it('says bye to all, ends long polls, and leaves no timer', async () => {
    const { enter, get, poll, server, timers } = open()
    await enter()
    const known = cursorsOf(await (await poll({})).json())
    const events = readEvents(await get())
    await events.next()
    const polling = poll(known)
    await settle()
    await server.close()
    expect((await events.next())?.event).toBe('bye')
    expect(await events.next()).toBeUndefined()
    const polled = await polling
    expect(polled.status).toBe(503)
    expect(Number(polled.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(timers.waiting).toEqual([])
    expect((await get()).status).toBe(503)
  })

  it('starts no timer for a server that nobody listens to', async () => {
    const { enter, timers, server, browser } = open()
    await enter()
    await browser.visit((state) => state.set('cart', ['pear']))
    expect(timers.waiting).toEqual([])
    await server.close()
  })
})
