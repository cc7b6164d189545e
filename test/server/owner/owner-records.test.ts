import { describe, expect, it } from 'vitest'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { DAY } from '../../support/clock.ts'
import { take } from '../../support/sites/http.ts'
import { cookiesOf, gatedStore, openSite, valueIn } from '../../support/sites/requests.ts'

const bins = defineBins({
  cart: { maxAge: '1d' },
  fast: { store: 'fast', maxAge: '30d' },
  slow: { store: 'slow' },
})

function openStores({ fast = memoryStore(), slow = memoryStore() } = {}) {
  return openSite(bins, { stores: { fast, slow } })
}

describe('bins in several stores', () => {
  it('belong to one visitor, whichever comes first', async () => {
    const { openBrowser } = openStores()
    const browser = openBrowser()
    await browser.visit((state) => state.set('fast', 1))
    const token = valueIn(browser.jar, '__Host-bb')
    await browser.visit((state) => state.update('slow', () => 2))
    await browser.visit((state) => state.set('cart', 3))
    expect(valueIn(browser.jar, '__Host-bb')).toBe(token)
    expect(
      await browser.visit((state) => ['fast', 'slow', 'cart'].map((name) => state.get(name as 'fast'))),
    ).toEqual([1, 2, 3])
  })

  it('are kept together', async () => {
    const { openBrowser } = openStores()
    const browser = openBrowser()
    await browser.visit((state) => {
      for (const name of ['fast', 'slow', 'cart'] as const) state.set(name, name)
    })
    expect(await browser.visit((state) => state.names())).toEqual(['cart', 'fast', 'slow'])
  })

  it('make a visitor by an update alone', async () => {
    const { openBrowser } = openStores()
    const browser = openBrowser()
    await browser.visit((state) => state.update('fast', () => 1))
    expect(await browser.visit((state) => state.get('fast'))).toBe(1)
  })

  it('live as long as they should, although the default store holds nothing', async () => {
    const { openBrowser, clock } = openStores()
    const browser = openBrowser()
    await browser.visit((state) => state.set('fast', 1))
    clock.advance(29 * DAY)
    expect(await browser.visit((state) => state.get('fast'))).toBe(1)
    await browser.visit((state) => state.set('fast', 2))
    clock.advance(29 * DAY)
    expect(await browser.visit((state) => state.get('fast'))).toBe(2)
    clock.advance(DAY)
    expect(await browser.visit((state) => state.has('fast'))).toBe(false)
  })

  it('survive that the default store is emptied', async () => {
    const { openBrowser, clock } = openStores()
    const browser = openBrowser()
    await browser.visit((state) => {
      state.set('cart', 1)
      state.set('fast', 2)
    })
    await browser.visit((state) => state.set('cart', null))
    expect(valueIn(browser.jar, '__Host-bb')).toBeDefined()
    clock.advance(25 * DAY)
    expect(await browser.visit((state) => state.get('fast'))).toBe(2)
  })

  it('take the cookies with them when all stores are empty', async () => {
    const { openBrowser } = openStores()
    const browser = openBrowser()
    await browser.visit((state) => {
      state.set('cart', 1)
      state.set('fast', 2)
    })
    await browser.visit((state) => state.set('cart', null))
    await browser.visit((state) => state.set('fast', null))
    expect(browser.jar.header()).toBe('')
  })

  it('keep the cookies if one is set while the last other one is deleted', async () => {
    const fast = gatedStore(memoryStore())
    const { server, openBrowser } = openStores({ fast })
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', 1))
    const [deleting, setting] = await Promise.all([
      server.open(browser.request()),
      server.open(browser.request()),
    ])
    setting.set('fast', 2)
    const saving = setting.save(new Response())
    await fast.isWaitedFor
    deleting.set('cart', null)
    const deleted = await deleting.save(new Response())
    fast.open()
    const set = await saving
    expect(cookiesOf(deleted)['__Host-bb']).toMatchObject({ maxAge: 0 })
    take(browser.jar, deleted)
    take(browser.jar, set)
    expect(await browser.visit((state) => state.names())).toEqual(['fast'])
  })

  it('read only the stores of the bins that are opened, and the default store', async () => {
    const [fast, slow] = [faultyStore(memoryStore()), faultyStore(memoryStore())]
    const { openBrowser, store } = openStores({ fast, slow })
    const browser = openBrowser()
    await browser.visit((state) => state.set('fast', 1))
    const before = [store, fast, slow].map(({ calls }) => calls.length)
    await browser.visit((state) => state.get('fast'), ['fast'])
    const now = [store, fast, slow].map(({ calls }) => calls.length)
    expect(now.map((count, index) => count - (before[index] ?? 0))).toEqual([1, 1, 0])
  })

  it('are erased from every store', async () => {
    const stores = { fast: memoryStore(), slow: memoryStore() }
    const { server, openBrowser, store } = openStores(stores)
    const browser = openBrowser()
    await browser.visit((state) => {
      for (const name of ['fast', 'slow', 'cart'] as const) state.set(name, 'precious')
    })
    await (await server.open(browser.request())).clear()
    for (const each of [store, stores.fast, stores.slow]) {
      expect(JSON.stringify(await each.scan?.(undefined, 10))).not.toContain('precious')
    }
  })

  it('take no write after clear, not even where there was nothing to erase', async () => {
    const stores = { fast: memoryStore() }
    const { server, openBrowser } = openStores(stores)
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', 1))
    const late = await server.open(browser.request())
    late.set('fast', 'precious')
    await (await server.open(browser.request())).clear()
    await expect(late.save(new Response())).rejects.toMatchObject({ code: 'GONE' })
    expect(JSON.stringify(await stores.fast.scan?.(undefined, 10))).not.toContain('precious')
  })

  it('can be erased again if one store failed', async () => {
    const memory = memoryStore()
    const fast = faultyStore(memory, { failOn: 4 })
    const { server, openBrowser } = openStores({ fast })
    const browser = openBrowser()
    await browser.visit((state) => {
      state.set('fast', 'precious')
      state.set('cart', 1)
    })
    const clearing = await server.open(browser.request(), ['cart'])
    await expect(clearing.clear().then(() => fast.calls)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(await browser.visit((state) => state.get('cart'))).toBe(1)
    await browser.visit((state) => state.clear())
    expect(JSON.stringify(await memory.scan?.(undefined, 10))).not.toContain('precious')
    expect(browser.jar.header()).toBe('')
  })

  it('belong to nobody else who comes by the same id', async () => {
    const { openBrowser, events } = openStores()
    const browser = openBrowser()
    await browser.visit((state) => state.set('fast', 1))
    const [id] = (valueIn(browser.jar, '__Host-bb') ?? '').split('.')
    const thief = openBrowser()
    thief.jar.set(`__Host-bb=${id}.${'A'.repeat(43)}; Max-Age=1000`)
    expect(await thief.visit((state) => [state.get('fast'), state.visitor])).toEqual([undefined, undefined])
    expect(events.types).toEqual(['unknown-visitor'])
    await thief.visit((state) => state.set('fast', 2))
    expect(valueIn(thief.jar, '__Host-bb')).not.toContain(id)
    expect(await browser.visit((state) => state.get('fast'))).toBe(1)
  })
})

describe('the visitor cookie', () => {
  it('outlives the bins by a tenth, and is renewed when they would outlive it', async () => {
    const { server, openBrowser, clock } = openSite(defineBins({ cart: { maxAge: '100d' } }))
    const browser = openBrowser()
    const ages: unknown[] = []
    for (let day = 0; day < 40; day += 4) {
      const state = await server.open(browser.request())
      state.set('cart', day)
      ages.push(cookiesOf(take(browser.jar, await state.save(new Response())))['__Host-bb']?.maxAge)
      clock.advance(4 * DAY)
    }
    const age = 110 * 86_400
    expect(ages).toEqual([
      age,
      undefined,
      undefined,
      age,
      undefined,
      undefined,
      age,
      undefined,
      undefined,
      age,
    ])
  })

  it('lives for 400 days at most, and is renewed day by day then', async () => {
    const { server, openBrowser, clock } = openSite(defineBins({ cart: { maxAge: '2000d' } }))
    const browser = openBrowser()
    const ages: unknown[] = []
    for (let half = 0; half < 4; half += 1) {
      const state = await server.open(browser.request())
      state.set('cart', half)
      ages.push(cookiesOf(take(browser.jar, await state.save(new Response())))['bb.o']?.maxAge)
      clock.advance(DAY / 2)
    }
    expect(ages).toEqual([400 * 86_400, undefined, undefined, 400 * 86_400])
  })
})
