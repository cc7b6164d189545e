import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { fileStore } from '../../../src/stores/file.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import type { Store } from '../../../src/stores/store.ts'
import { DAY, HOUR } from '../../support/clock.ts'
import { take } from '../../support/sites/http.ts'
import { cookiesOf, gatedStore, openSite, valueIn } from '../../support/sites/requests.ts'
import { temporaryFolders } from '../../support/stores/open-store.ts'

const bins = defineBins({
  cart: { schema: z.array(z.string()), default: [] },
  visits: { default: 0 },
  profile: { schema: z.record(z.string(), z.string()), merge: 'fields' },
  stock: {
    schema: z.number(),
    merge: (base = 0, mine = 0, theirs = 0) => (theirs + mine - base === 0 ? null : theirs + mine - base),
  },
  fragile: {
    schema: z.number(),
    merge() {
      throw new Error('cannot merge')
    },
  },
  tab: { maxAge: 'session' },
  short: { maxAge: '1h' },
})

const folders = temporaryFolders()
afterAll(() => folders.remove())

const STORES: Record<string, () => Store> = {
  memoryStore: () => memoryStore(),
  fileStore: () => fileStore(join(folders.make(), 'files')),
  sqliteStore: () => sqliteStore(join(folders.make(), 'bins.db')),
}

describe.each(Object.entries(STORES))('server bins in %s', (_, makeStore) => {
  it('keep both of two bins that are set at the same time', async () => {
    const { openBrowser } = openSite(bins, { store: makeStore() })
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    await Promise.all([
      browser.visit((state) => state.set('cart', ['apple'])),
      browser.visit((state) => state.set('visits', 2)),
      browser.visit((state) => state.set('profile', { name: 'Ada' })),
    ])
    const kept = await browser.visit((state) => [
      state.get('cart'),
      state.get('visits'),
      state.get('profile'),
    ])
    expect(kept).toEqual([['apple'], 2, { name: 'Ada' }])
  })

  it('count 50 updates at the same time', async () => {
    const { openBrowser } = openSite(bins, { store: makeStore() })
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 0))
    await Promise.all(
      Array.from({ length: 50 }, () => browser.visit((state) => state.update('visits', (n) => n + 1))),
    )
    expect(await browser.visit((state) => state.get('visits'))).toBe(50)
  })

  it('count 50 updates of one request', async () => {
    const { openBrowser, store } = openSite(bins, { store: makeStore() })
    const browser = openBrowser()
    await browser.visit(async (state) => {
      await Promise.all(Array.from({ length: 50 }, () => state.update('visits', (n) => n + 1)))
    })
    expect(await browser.visit((state) => state.get('visits'))).toBe(50)
    expect(store.calls.filter((call) => call === 'write').length).toBeLessThan(5)
  })

  it('take no write after clear', async () => {
    const { server, openBrowser } = openSite(bins, { store: makeStore() })
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const late = await server.open(browser.request())
    const later = await server.open(browser.request())
    await (await server.open(browser.request())).clear()
    late.set('visits', 2)
    await expect(late.save(new Response())).rejects.toMatchObject({ code: 'GONE' })
    await expect(later.update('visits', (n) => n + 1)).rejects.toMatchObject({ code: 'GONE' })
    expect(await browser.visit((state) => [state.get('visits'), state.visitor])).toEqual([0, undefined])
  })

  it('make a new visitor of a request that comes after clear', async () => {
    const { server, openBrowser } = openSite(bins, { store: makeStore() })
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const before = valueIn(browser.jar, '__Host-bb')
    await (await server.open(browser.request())).clear()
    await browser.visit((state) => state.set('visits', 5))
    expect(valueIn(browser.jar, '__Host-bb')).not.toBe(before)
    expect(await browser.visit((state) => state.get('visits'))).toBe(5)
  })
})

describe('a server bin', () => {
  it('keeps the later one of two edits at the same time', async () => {
    const { server, openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', ['apple']))
    const first = await server.open(browser.request())
    const second = await server.open(browser.request())
    first.set('cart', ['first'])
    clock.advance(10)
    second.set('cart', ['second'])
    await second.save()
    clock.advance(10)
    await first.save()
    expect(first.get('cart')).toEqual(['second'])
    expect(await browser.visit((state) => state.get('cart'))).toEqual(['second'])
  })

  it('keeps what was saved last of two edits in the same millisecond', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', ['apple']))
    const [first, second] = await Promise.all([
      server.open(browser.request()),
      server.open(browser.request()),
    ])
    first.set('cart', ['first'])
    second.set('cart', ['second'])
    await second.save()
    await first.save()
    expect(await browser.visit((state) => state.get('cart'))).toEqual(['first'])
  })

  it('is merged field by field', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('profile', { name: 'Ada', city: 'London' }))
    const [one, other] = await Promise.all([server.open(browser.request()), server.open(browser.request())])
    one.set('profile', { name: 'Grace', city: 'London' })
    other.set('profile', { name: 'Ada', city: 'Paris', sport: 'chess' })
    await other.save()
    await one.save()
    expect(one.get('profile')).toEqual({ name: 'Grace', city: 'Paris', sport: 'chess' })
    expect(await browser.visit((state) => state.get('profile'))).toEqual(one.get('profile'))
  })

  it('is merged by a function of its own', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('stock', 10))
    const [one, other] = await Promise.all([server.open(browser.request()), server.open(browser.request())])
    one.set('stock', 7)
    other.set('stock', 9)
    await other.save()
    await one.save()
    expect(await browser.visit((state) => state.get('stock'))).toBe(6)
  })

  it('is deleted if the merge function says so', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('stock', 10))
    const [one, other] = await Promise.all([server.open(browser.request()), server.open(browser.request())])
    one.set('stock', 4)
    other.set('stock', 6)
    await other.save()
    await one.save()
    expect(await browser.visit((state) => state.has('stock'))).toBe(false)
  })

  it('stays as it is, with an error, if the merge function fails', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('fragile', 1))
    const [one, other] = await Promise.all([server.open(browser.request()), server.open(browser.request())])
    one.set('fragile', 2)
    one.set('visits', 7)
    other.set('fragile', 3)
    await other.save()
    await expect(one.save()).rejects.toMatchObject({ code: 'CONFLICT', bin: 'fragile' })
    expect(await browser.visit((state) => [state.get('fragile'), state.get('visits')])).toEqual([3, 0])
  })

  it('is updated together with what was set before', async () => {
    const { server, store, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const before = store.calls.length
    const state = await server.open(browser.request())
    state.set('cart', ['apple'])
    state.set('visits', 5)
    expect(await state.update('visits', (n) => n + 1)).toBe(6)
    expect(store.calls.slice(before)).toEqual(['read', 'read', 'write'])
    expect(await browser.visit((later) => [later.get('visits'), later.get('cart')])).toEqual([6, ['apple']])
  })

  it('changes nothing, not even what was set before, if an update throws', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const state = await server.open(browser.request())
    state.set('cart', ['apple'])
    const failing = state.update('visits', () => {
      throw new Error('cannot')
    })
    await expect(failing).rejects.toThrow('cannot')
    expect(await browser.visit((later) => [later.get('visits'), later.get('cart')])).toEqual([1, []])
    await state.save()
    expect(await browser.visit((later) => later.get('cart'))).toEqual(['apple'])
  })

  it('lets the other updates of a batch through if one throws', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 0))
    const updates = Array.from({ length: 5 }, async (_, index) => {
      const state = await server.open(browser.request())
      return state.update('visits', (n) => {
        if (index === 2) throw new Error('cannot')
        return n + 1
      })
    })
    const settled = await Promise.allSettled(updates)
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
    expect(await browser.visit((state) => state.get('visits'))).toBe(4)
  })

  it('survives its record, which expired while the request ran', async () => {
    const { server, openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('short', 'old'))
    const before = valueIn(browser.jar, '__Host-bb')
    const saving = await server.open(browser.request())
    const updating = await server.open(browser.request())
    clock.advance(2 * DAY)
    saving.set('cart', ['apple'])
    saving.set('short', null)
    take(browser.jar, await saving.save(new Response()))
    expect(valueIn(browser.jar, '__Host-bb')).not.toBe(before)
    expect(await browser.visit((state) => state.names())).toEqual(['cart'])
    expect(await updating.update('visits', (n) => n + 1)).toBe(1)
    take(browser.jar, await updating.save(new Response()))
    expect(await browser.visit((state) => state.names())).toEqual(['visits'])
  })

  it.each(['latest', 'fields', 'server'] as const)(
    'survives its record, which was evicted while the request ran, by the rule %s',
    async (merge) => {
      const { server, store, openBrowser, clock } = openSite(defineBins({ bin: { merge } }))
      const browser = openBrowser()
      await browser.visit((state) => state.set('bin', { a: 1 }))
      const state = await server.open(browser.request())
      clock.advance(10)
      state.set('bin', { a: 2 })
      clock.advance(10)
      for (const [key] of (await store.scan?.(undefined, 1))?.entries ?? []) await store.delete(key)
      take(browser.jar, await state.save(new Response()))
      expect(await browser.visit((later) => later.get('bin'))).toEqual({ a: 2 })
    },
  )

  it('makes no visitor only to delete what was evicted', async () => {
    const { server, store, openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('short', 1))
    const state = await server.open(browser.request())
    state.set('short', null)
    clock.advance(2 * DAY)
    const before = store.calls.length
    expect(cookiesOf(await state.save(new Response()))).toEqual({})
    expect(store.calls.slice(before)).not.toContain('write')
  })

  it('lives as long as its maxAge, from each write', async () => {
    const { openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('short', 1))
    clock.advance(HOUR - 1)
    await browser.visit((state) => state.set('short', 2))
    clock.advance(HOUR - 1)
    expect(await browser.visit((state) => state.get('short'))).toBe(2)
    clock.advance(1)
    expect(await browser.visit((state) => state.has('short'))).toBe(false)
  })

  it('ends with the browser session', async () => {
    const { server, openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    const state = await server.open(browser.request())
    state.set('tab', 'one')
    state.set('visits', 1)
    const cookies = cookiesOf(take(browser.jar, await state.save(new Response())))
    expect(cookies['bb.s']).toEqual({
      name: undefined,
      value: expect.stringMatching(/^[\w-]{16}$/),
      path: '/',
      sameSite: 'lax',
      secure: true,
    })
    expect(await browser.visit((later) => [later.get('tab'), later.get('visits')])).toEqual(['one', 1])
    browser.jar.restart()
    expect(await browser.visit((later) => [later.get('tab'), later.get('visits')])).toEqual([undefined, 1])
    await browser.visit((later) => later.set('tab', 'two'))
    expect(await browser.visit((later) => later.get('tab'))).toBe('two')
    clock.advance(25 * HOUR)
    expect(await browser.visit((later) => later.get('tab'))).toBeUndefined()
  })

  it('starts no browser session that is not kept', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const response = await server.handle(browser.request(), (state) => {
      state.set('tab', 1)
      return new Response('broken', { status: 500 })
    })
    expect(cookiesOf(response)).toEqual({})
  })

  it('of a newer version of the program is left as it is', async () => {
    const store = memoryStore()
    const newer = openSite(defineBins({ bin: { version: 2 }, other: {} }), { store })
    const browser = newer.openBrowser()
    await browser.visit((state) => {
      state.set('bin', 'new')
      state.set('other', 1)
    })
    const older = openSite(defineBins({ bin: { default: 'none' }, other: {} }), { store })
    const state = await older.server.open(browser.request())
    expect([state.has('bin'), state.get('bin')]).toEqual([true, 'none'])
    expect(() => state.set('bin', 'old')).toThrow(expect.objectContaining({ code: 'OUTDATED', bin: 'bin' }))
    await expect(state.update('bin', () => 'old')).rejects.toMatchObject({ code: 'OUTDATED' })
    state.set('other', 2)
    await state.save()
    expect(await browser.visit((later) => [later.get('bin'), later.get('other')])).toEqual(['new', 2])
  })

  it('of a newer version, which came while the request ran, is left as it is', async () => {
    const store = memoryStore()
    const newer = openSite(defineBins({ bin: { version: 2 }, other: {} }), { store })
    const browser = newer.openBrowser()
    await browser.visit((state) => state.set('other', 1))
    const older = openSite(defineBins({ bin: {}, other: {} }), { store })
    const state = await older.server.open(browser.request())
    state.set('bin', 'old')
    await browser.visit((later) => later.set('bin', 'new'))
    await expect(state.save()).rejects.toMatchObject({ code: 'OUTDATED', bin: 'bin' })
    expect(await browser.visit((later) => later.get('bin'))).toBe('new')
  })
})

describe('a record that is emptied', () => {
  it('takes the cookies with it', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => {
      state.set('cart', ['apple'])
      state.set('visits', 1)
    })
    await browser.visit((state) => state.set('cart', null))
    expect(valueIn(browser.jar, '__Host-bb')).toBeDefined()
    const state = await server.open(browser.request())
    state.set('visits', null)
    const deleted = { value: '', maxAge: 0, path: '/', sameSite: 'lax', secure: true }
    expect(cookiesOf(await state.save(new Response()))).toEqual({
      '__Host-bb': { ...deleted, httpOnly: true },
      'bb.o': deleted,
    })
  })

  it('takes the cookies with it when an update deletes the last bin', async () => {
    const { openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    await browser.visit((state) => state.update('visits', () => null))
    expect(browser.jar.header()).toBe('')
  })

  it('does not take a bin with it that is set at the same time', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const [deleting, setting] = await Promise.all([
      server.open(browser.request()),
      server.open(browser.request()),
    ])
    deleting.set('visits', null)
    setting.set('cart', ['apple'])
    const [deleted, set] = [await deleting.save(new Response()), await setting.save(new Response())]
    expect(cookiesOf(deleted)['__Host-bb']).toMatchObject({ maxAge: 0 })
    expect(cookiesOf(set)['__Host-bb']).toMatchObject({ value: valueIn(browser.jar, '__Host-bb') })
    take(browser.jar, deleted)
    take(browser.jar, set)
    expect(await browser.visit((state) => state.names())).toEqual(['cart'])
  })

  it('leaves the cookies if a bin was set just before', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const [deleting, setting] = await Promise.all([
      server.open(browser.request()),
      server.open(browser.request()),
    ])
    deleting.set('visits', null)
    setting.set('cart', ['apple'])
    await setting.save(new Response())
    expect(cookiesOf(await deleting.save(new Response()))).toEqual({})
    expect(await browser.visit((state) => state.names())).toEqual(['cart'])
  })

  it('is gone after a day, and not a late write before that', async () => {
    const { store, openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    await browser.visit((state) => state.set('visits', null))
    clock.advance(DAY - 1)
    expect(await store.sweep(clock(), 10)).toBe(0)
    clock.advance(1)
    expect(await store.sweep(clock(), 10)).toBe(1)
  })
})

describe('a slow store', () => {
  it('lets a request see its own edit while it is written', async () => {
    const store = gatedStore(memoryStore())
    const { server, openBrowser } = openSite(bins, { store })
    const state = await server.open(openBrowser().request())
    state.set('visits', 5)
    const saving = state.save(new Response())
    await store.isWaitedFor
    expect(state.get('visits')).toBe(5)
    store.open()
    await saving
    expect(state.get('visits')).toBe(5)
  })
})
