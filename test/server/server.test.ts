import { afterEach, describe, expect, it, vi } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { type BinsServer, serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { DAY } from '../support/clock.ts'
import { ORIGIN } from '../support/sites/http.ts'
import { openSignal, openSite, SECRETS } from '../support/sites/requests.ts'

const bins = defineBins({ cart: {} })
const signed = defineBins({ variant: { storage: 'cookie', browser: 'read' } })

afterEach(() => vi.unstubAllEnvs())

describe('serveBins', () => {
  it('needs nothing but definitions outside production', () => {
    expect(serveBins(bins)).toMatchObject({ open: expect.any(Function) })
  })

  it('wants a store in production', () => {
    vi.stubEnv('NODE_ENV', 'production')
    expect(() => serveBins(bins)).toThrow(/^store: in production/)
    expect(() => serveBins(bins, { store: memoryStore() })).not.toThrow()
  })

  it('refuses a store that no option names', () => {
    const elsewhere = defineBins({ cart: { store: 'fast' } })
    expect(() => serveBins(elsewhere)).toThrow(/"cart": there is no store "fast".*stores/)
    expect(() => serveBins(elsewhere, { stores: { fast: memoryStore() } })).not.toThrow()
    const others = defineBins({}, { others: { store: 'fast' } })
    expect(() => serveBins(others)).toThrow(/there is no store "fast"/)
  })

  it('wants no store in production for bins that need none', () => {
    vi.stubEnv('NODE_ENV', 'production')
    expect(() => serveBins(defineBins({ theme: { storage: 'cookie' } }))).not.toThrow()
    expect(() => serveBins(defineBins({}, { others: {} }))).toThrow(/^store: in production/)
  })

  it.each<[string, object, RegExp]>([
    ['a misspelt option', { sotre: memoryStore() }, /^serveBins: there is no option "sotre"/],
    ['a function for a store', { store: memoryStore }, /^store: pass a store/],
    ['a path for a store', { store: 'bins.db' }, /^store: pass a store/],
    [
      'a promise of a store',
      { stores: { fast: Promise.resolve(memoryStore()) } },
      /^stores: fast: pass a store/,
    ],
    ['one secret', { secrets: SECRETS[0] }, /^secrets: pass a list/],
    ['one further origin', { origins: 'https://example.org' }, /^origins: pass a list/],
    ['a user that is none', { user: 'me' }, /^user: pass a function/],
  ])('refuses %s', (_, options, message) => {
    expect(() => serveBins(bins, options)).toThrow(TypeError)
    expect(() => serveBins(bins, options)).toThrow(message)
  })

  it('refuses bins that defineBins has not defined', () => {
    expect(() => serveBins({ cart: {} } as never)).toThrow(/^serveBins: pass what defineBins\(\) returned/)
  })

  it.each<[string, (server: BinsServer) => Promise<unknown>, RegExp]>([
    [
      'one name',
      (server) => server.open(new Request(ORIGIN), 'cart' as never),
      /^open: pass a list of names/,
    ],
    [
      "a framework's own request",
      (server) => server.open({ raw: new Request(ORIGIN), headers: {} } as never),
      /^open: pass request\.raw/,
    ],
    [
      'a handler without a response',
      (server) => server.handle(new Request(ORIGIN), (() => {}) as never),
      /^handle: return a Response/,
    ],
    [
      'names in place of options',
      (server) => server.handle(new Request(ORIGIN), () => new Response(), ['cart'] as never),
      /^handle: there is no option/,
    ],
    [
      'a link to nowhere',
      async (server) => (await server.open(new Request(ORIGIN))).link(undefined as never),
      /^link: pass the URL/,
    ],
  ])('refuses %s', async (_, call, message) => {
    const refused = call(serveBins(bins, { store: memoryStore() }))
    await expect(refused).rejects.toThrow(TypeError)
    await expect(refused).rejects.toThrow(message)
  })

  it('refuses two stores of one name', () => {
    expect(() => serveBins(bins, { stores: { default: memoryStore() } })).toThrow(/^stores: 'default'/)
  })

  it('refuses a bin that any visitor could fill with anything', () => {
    expect(() => serveBins(defineBins({ cart: { browser: 'write' } }))).toThrow(/"cart".*needs a schema/)
    expect(() => serveBins(defineBins({ cart: { browser: 'write', schema: z.string() } }))).not.toThrow()
    expect(() => serveBins(defineBins({}, { others: { browser: 'write' } }))).toThrow(/needs a schema/)
  })

  it('wants secrets for signed and sealed cookies', () => {
    expect(() => serveBins(signed)).toThrow(/^secrets: bin "variant"/)
    expect(() => serveBins(signed, { secrets: [] })).toThrow(/^secrets: bin "variant"/)
    expect(() => serveBins(signed, { secrets: SECRETS })).not.toThrow()
  })

  it('refuses secrets that are none', () => {
    expect(() => serveBins(bins, { secrets: ['secret'] })).toThrow(/^secrets\[0\]/)
  })

  it.each([SECRETS.join(','), ` ${SECRETS[0]} , `])('takes secrets from the environment: %j', (variable) => {
    vi.stubEnv('BREADBIN_SECRETS', variable)
    expect(() => serveBins(signed)).not.toThrow()
  })

  it.each(['', ' ', ','])('takes an empty environment variable for unset: %j', (variable) => {
    vi.stubEnv('BREADBIN_SECRETS', variable)
    expect(() => serveBins(signed)).toThrow(/^secrets: bin "variant"/)
  })

  it('names the environment variable that is rubbish, and not what is in it', () => {
    vi.stubEnv('BREADBIN_SECRETS', 'hunter2')
    expect(() => serveBins(signed)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^BREADBIN_SECRETS/) }),
    )
    expect(() => serveBins(signed)).not.toThrow(/hunter2/)
  })

  it.each(['example.org', 'https://', 'ftp://example.org', '/bins', ''])(
    'refuses %j as an origin',
    (origin) => {
      expect(() => serveBins(bins, { origin })).toThrow(/^origin: pass/)
    },
  )

  it('takes an origin with a path for its origin', () => {
    expect(() => serveBins(bins, { origin: 'https://example.org/shop/' })).not.toThrow()
  })
})

describe('a store that fails', () => {
  it.each([1, 2])(
    'is an error that frameworks answer with 503, whether it reads or writes: call %i',
    async (failOn) => {
      const store = memoryStore()
      const browser = openSite(bins, { store }).openBrowser()
      await browser.visit((state) => state.set('cart', 1))
      const failing = serveBins(bins, { store: faultyStore(store, { failOn }), secrets: SECRETS })
      const work = async () => {
        const state = await failing.open(browser.request())
        state.set('cart', 2)
        await state.save(new Response())
      }
      await expect(work()).rejects.toMatchObject({ code: 'STORE_FAILED', statusCode: 503 })
    },
  )
})

describe('sweep', () => {
  it('deletes what has expired in all stores, and says how many', async () => {
    const stored = (expires: number) => ({ version: 1, text: 'text', expires })
    const [store, fast] = [memoryStore(), memoryStore()]
    const { server, clock } = openSite(bins, { store, stores: { fast } })
    for (const [index, each] of [store, fast, fast].entries()) {
      await each.write(`old ${index}`, stored(clock() + 1), 0, clock())
      await each.write(`new ${index}`, stored(clock() + DAY), 0, clock())
    }
    clock.advance(1)
    expect(await server.sweep({ limit: 1 })).toBe(2)
    expect(await server.sweep()).toBe(1)
    expect(await server.sweep()).toBe(0)
    expect((await fast.versions?.(['new 1', 'new 2'], clock()))?.size).toBe(2)
  })
})

describe('close', () => {
  it('closes all stores', async () => {
    const fast = memoryStore()
    const { server, openBrowser } = openSite(bins, { stores: { fast } })
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', 1))
    await server.close()
    await server.close()
    await expect(server.open(browser.request())).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(fast.read('key', { now: 0 })).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('a store that cannot be read', () => {
  it('fails the request, and lets it change nothing', async () => {
    const memory = memoryStore()
    const { openBrowser } = openSite(bins, { store: memory })
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', ['apple']))
    const failing = openSite(bins, { store: faultyStore(memory, { failOn: 1 }) })
    const request = browser.request()
    await expect(failing.server.open(request)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(failing.server.open(request)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(failing.events.types).toContain('store-failed')
    expect(await browser.visit((state) => state.get('cart'))).toEqual(['apple'])
  })

  it('does not fail a request that needs only cookies', async () => {
    const plain = defineBins({ theme: { storage: 'cookie' }, cart: {} })
    const { server } = openSite(plain, { store: faultyStore(memoryStore(), { failOn: 1 }) })
    const headers = { cookie: `__Host-bb=${'A'.repeat(22)}.${'B'.repeat(43)}` }
    const state = await server.open(new Request('https://example.org/', { headers }), ['theme'])
    state.set('theme', 'dark')
    expect((await state.save(new Response())).headers.getSetCookie()).toHaveLength(1)
  })
})

describe('a visitor whose record a newer version of Breadbin wrote', () => {
  it('reads defaults, and neither writes nor becomes somebody else', async () => {
    const { server, store, openBrowser, clock, events } = openSite(defineBins({ cart: { default: 'none' } }))
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', 'full'))
    const [[key, stored] = ['', undefined]] = (await store.scan?.(undefined, 1))?.entries ?? []
    const text = stored?.text.replace('{"v":1', '{"v":2') ?? ''
    await store.write(key, { version: clock() + 1, text, expires: clock() + DAY }, clock(), clock())

    const state = await server.open(browser.request())
    expect([state.get('cart'), state.visitor]).toEqual(['none', undefined])
    state.set('cart', 'empty')
    await expect(state.save(new Response())).rejects.toMatchObject({ code: 'STORE_FAILED' })
    state.set('cart', null)
    await expect(state.save(new Response())).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(state.update('cart', () => null)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(state.clear()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(events.types).toContain('unreadable-record')
    expect((await store.read(key, { now: clock() }))?.text).toBe(text)
    const response = await state.save(new Response())
    expect(response.headers.getSetCookie()).toEqual([])
  })
})

describe('a server that is closed', () => {
  it('answers first what it has begun to answer', async () => {
    const [gate, began] = [openSignal(), openSignal()]
    const store = memoryStore()
    let isClosed = false
    const close = async () => {
      isClosed = true
    }
    const server = serveBins(bins, { store: { ...store, close } })
    const answer = server.handle(new Request('https://example.org/'), async (state) => {
      began.give()
      await gate.given
      expect(isClosed).toBe(false)
      state.set('cart', 'data')
      return new Response('done')
    })
    await began.given
    const closing = server.close()
    gate.give()
    expect((await answer).headers.getSetCookie()).toHaveLength(2)
    await closing
    expect(isClosed).toBe(true)
  })
})
