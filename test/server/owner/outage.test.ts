import { Redis as IoRedis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { OnStoreDown } from '../../../src/server/parts.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { redisStore } from '../../../src/stores/redis.ts'
import type { Store } from '../../../src/stores/store.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { openClock } from '../../support/clock.ts'
import { needs } from '../../support/needs.ts'
import { startRedis } from '../../support/servers/redis.ts'
import { openCookieJar, requestWith, take } from '../../support/sites/http.ts'
import { cookiesOf, openSite, SECRETS } from '../../support/sites/requests.ts'

const bins = defineBins({
  theme: { storage: 'cookie' },
  cart: { schema: z._default(z.array(z.string()), []), browser: 'write' },
  visits: { default: 0 },
  fast: { default: 0, store: 'fast' },
})

const failed = { code: 'STORE_FAILED' }

/** A store that is up until it is not. */
function breakable(store: Store) {
  let isUp = true
  const check = () => {
    if (!isUp) throw new Error('connection refused')
  }
  const breaking: Store = {
    ...store,
    async read(key, options) {
      check()
      return store.read(key, options)
    },
    async write(key, next, expected, now) {
      check()
      return store.write(key, next, expected, now)
    },
  }
  return {
    ...breaking,
    setUp(up: boolean) {
      isUp = up
    },
  }
}

/** A site with a visitor who has something in each store. */
async function openVisited(onStoreDown?: OnStoreDown) {
  const [store, fast] = [breakable(memoryStore()), breakable(memoryStore())]
  const site = openSite(bins, { store, stores: { fast }, ...(onStoreDown && { onStoreDown }) })
  const browser = site.openBrowser()
  await browser.visit((state) => {
    state.set('cart', ['bread'])
    state.set('fast', 1)
  })
  return { ...site, browser, down: store, fastDown: fast }
}

describe("a request under onStoreDown: 'empty'", () => {
  it('opens its bins while the store is down, and knows that they are not loaded', async () => {
    const { browser, server, down, events } = await openVisited('empty')
    down.setUp(false)
    const state = await server.open(browser.request())
    expect(state.loaded('cart')).toBe(false)
    expect(state.loaded('theme')).toBe(true)
    expect(events.types).toEqual(['store-failed'])
  })

  it('writes no server bin and no visitor cookie while the store is down', async () => {
    const { browser, server, down, store } = await openVisited('empty')
    down.setUp(false)
    const state = await server.open(browser.request())
    const calls = store.calls.length
    expect(() => state.set('cart', [])).toThrow(expect.objectContaining(failed))
    expect(() => state.set('cart', null)).toThrow(expect.objectContaining(failed))
    await expect(state.update('visits', (visits) => visits + 1)).rejects.toMatchObject(failed)
    await expect(state.clear()).rejects.toMatchObject(failed)
    const headers = await state.save(new Headers())
    expect(cookiesOf(headers)).toEqual({})
    expect(store.calls).toHaveLength(calls)
  })

  it('keeps its cookie bins while the store is down', async () => {
    const { browser, down } = await openVisited('empty')
    down.setUp(false)
    await browser.visit((state) => state.set('theme', 'dark'))
    expect(await browser.visit((state) => state.get('theme'))).toBe('dark')
  })

  it('refuses to save what was set before a read failed', async () => {
    const { browser, server, fastDown } = await openVisited('empty')
    const request = browser.request()
    const state = await server.open(request, ['cart'])
    state.set('cart', ['fig'])
    fastDown.setUp(false)
    await server.open(request, ['fast'])
    await expect(state.save(new Headers())).rejects.toMatchObject(failed)
    expect(await browser.visit((later) => later.get('cart'), ['cart'])).toEqual(['bread'])
  })

  it('writes nothing for the rest of the request, even if the store is back', async () => {
    const { browser, server, down } = await openVisited('empty')
    down.setUp(false)
    const state = await server.open(browser.request())
    down.setUp(true)
    expect(() => state.set('cart', [])).toThrow(expect.objectContaining(failed))
    await expect(state.update('visits', (visits) => visits + 1)).rejects.toMatchObject(failed)
  })

  it('reads and writes as ever as soon as the store is back', async () => {
    const { browser, down } = await openVisited('empty')
    down.setUp(false)
    await browser.visit((state) => state.get('cart'))
    down.setUp(true)
    await browser.visit((state) => state.set('visits', 5))
    expect(await browser.visit((state) => [state.get('cart'), state.get('visits')])).toEqual([['bread'], 5])
  })

  it('reads what is in the stores that are not down', async () => {
    const { browser, fastDown } = await openVisited('empty')
    fastDown.setUp(false)
    expect(await browser.visit((state) => state.get('cart'))).toEqual(['bread'])
  })

  it('gives the page no snapshot while a store is down', async () => {
    const { browser, server, fastDown } = await openVisited('empty')
    fastDown.setUp(false)
    const state = await server.open(browser.request())
    expect(JSON.parse(state.snapshot())).toMatchObject({ parts: [] })
  })

  it('makes no visitor of somebody whose bins were not asked for, while the store is down', async () => {
    const { server, down, openBrowser } = await openVisited('empty')
    down.setUp(false)
    const state = await server.open(openBrowser().request())
    state.set('cart', ['fig'])
    const headers = new Headers()
    await expect(state.save(headers)).rejects.toMatchObject(failed)
    expect(cookiesOf(headers)).toEqual({})
  })

  it.each([
    [
      '/sync',
      JSON.stringify({
        v: 1,
        client: 'client',
        parts: [{ owner: 'visitor', store: 'default', tag: null, cursor: null, ops: [] }],
      }),
    ],
    ['/clear', '{}'],
    ['/link', JSON.stringify({ v: 1, token: `${'A'.repeat(22)}.${'A'.repeat(43)}` })],
  ])('leaves %s unanswered while the store is down', async (path, body) => {
    const { browser, server, down } = await openVisited('empty')
    down.setUp(false)
    const response = await server.fetch(
      requestWith(browser.jar, `/bins${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      }),
    )
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(cookiesOf(response)).toEqual({})
  })

  it('says so where a record is of a format that nobody knows', async () => {
    const { browser, store, server, down } = await openVisited('empty')
    const [key = ''] = await keysIn(down)
    const stored = await store.read(key, { now: 0 })
    await store.write(
      key,
      { version: 9e15, text: '{"format":99}', expires: Infinity },
      stored?.version ?? 0,
      0,
    )
    const state = await server.open(browser.request())
    expect(state.loaded('cart')).toBe(true)
    await expect(state.update('visits', (visits) => visits + 1)).rejects.toMatchObject(failed)
  })

  it('closes as ever', async () => {
    const { browser, server } = await openVisited('empty')
    await server.close()
    await expect(server.open(browser.request())).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('reads the defaults', async () => {
    const { browser, server, down } = await openVisited('empty')
    down.setUp(false)
    const state = await server.open(browser.request())
    expect([state.get('cart'), state.get('fast'), state.visitor]).toEqual([[], 0, undefined])
    expect(state.has('cart')).toBe(false)
  })
})

describe('a request under onStoreDown left out', () => {
  it('is not opened while the store is down', async () => {
    const { browser, server, down } = await openVisited()
    down.setUp(false)
    await expect(server.open(browser.request())).rejects.toMatchObject(failed)
    expect((await server.open(browser.request(), ['theme'])).get('theme')).toBeUndefined()
  })
})

describe('onStoreDown', () => {
  it('refuses what it does not know', () => {
    const onStoreDown = 'readonly' as OnStoreDown
    expect(() => serveBins(bins, { stores: { fast: memoryStore() }, onStoreDown })).toThrow(/^onStoreDown/)
  })
})

const program = needs('redis')

if (program) {
  describe("pages under onStoreDown: 'empty'", () => {
    it('go on while Redis is paused and while it is stopped, and are whole again when it is back', {
      timeout: 60_000,
    }, async () => {
      const redis = await startRedis(program, ['--appendonly', 'yes', '--appendfsync', 'always'])
      onTestFinished(redis.stop)
      const client = new IoRedis(redis.url, { retryStrategy: () => 20 })
      onTestFinished(() => client.disconnect())
      const store = redisStore(client)
      const clock = openClock()
      const server = serveBins(bins, {
        store,
        stores: { fast: faultyStore(memoryStore()) },
        secrets: SECRETS,
        storeMs: 300,
        clock,
        onStoreDown: 'empty',
      })
      const jar = openCookieJar(clock)
      const read = async () => {
        const state = await server.open(requestWith(jar))
        return [state.get('cart'), state.get('theme'), state.loaded('cart')]
      }
      const first = await server.open(requestWith(jar))
      first.set('cart', ['bread'])
      first.set('theme', 'dark')
      take(jar, await first.save(new Headers()))
      await redis.pause()
      expect(await read()).toEqual([[], 'dark', false])
      redis.resume()
      await expect.poll(read).toEqual([['bread'], 'dark', true])
      await redis.halt()
      expect(await read()).toEqual([[], 'dark', false])
      await redis.start()
      await expect.poll(read).toEqual([['bread'], 'dark', true])
      const last = await server.open(requestWith(jar))
      await last.update('visits', (visits) => visits + 1)
      expect((await server.open(requestWith(jar))).get('visits')).toBe(1)
      await server.close()
    })
  })
}

async function keysIn(store: Store): Promise<string[]> {
  const page = await store.scan?.(undefined, 10)
  return page?.entries.map(([key]) => key) ?? []
}
