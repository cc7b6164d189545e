// @vitest-environment node
import { parseCookie } from 'cookie'
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import type { ClientOptions } from '../../../src/client/open-bins.ts'
import type { Moment } from '../../../src/client/page/page.ts'
import { openPageBins } from '../../../src/client/page-bins.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import { parseTags } from '../../../src/core/cookie/tags.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinsEvent } from '../../../src/core/event.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { openClock } from '../../support/clock.ts'
import { fakePage } from '../../support/pages/fake-page.ts'
import { fetchWith, openCookieJar, requestWith, take } from '../../support/sites/http.ts'
import { valueIn } from '../../support/sites/requests.ts'

const bins = defineBins({
  cart: {
    schema: z.array(z.string()),
    browser: 'write',
    scope: 'user',
    merge: (_, mine = [], theirs = []) => [...new Set([...theirs, ...mine])],
  },
  seen: { schema: z.array(z.string()), browser: 'write' },
})

/** A site whose application keeps the user in a cookie of its own, and devices. */
function setUp() {
  const clock = openClock()
  const server = serveBins(bins, {
    store: memoryStore(),
    clock,
    user: ({ headers }) => parseCookie(new Headers(headers as HeadersInit).get('cookie') ?? '').sid ?? null,
  })

  function openDevice() {
    const jar = openCookieJar(clock)
    const rows = memoryRows()
    const requests: Request[] = []
    const events: BinsEvent[] = []
    const listeners = new Set<(moment: Moment) => void>()
    const network = { isOnline: true }
    const tags = () => {
      const companion = valueIn(jar, 'bb.o')
      return companion === undefined ? undefined : parseTags(companion)
    }
    let ids = 0
    const page = fakePage({
      rows,
      clock,
      newId: () => `id-${++ids}`,
      cookies: {
        ...fakePage().cookies,
        visitorTag: () => tags()?.visitor || null,
        userTag: () => tags()?.user ?? null,
      },
      fetch: fetchWith(jar, (request) => {
        requests.push(request.clone())
        return network.isOnline ? server.fetch(request) : Promise.reject(new TypeError('Failed to fetch'))
      }),
      watch(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    })
    return {
      rows,
      requests,
      events,
      network,
      open: (options: Pick<ClientOptions, 'logout' | 'snapshot' | 'wait'> = {}) =>
        openPageBins(page, bins, { ...options, onEvent: (event) => events.push(event) }),
      /** What the application's own pages do: log somebody in or out, and answer a navigation. */
      async logIn(user: string | null) {
        jar.set(user === null ? 'sid=; Max-Age=0' : `sid=${user}`)
        const headers = {
          'sec-fetch-site': 'same-origin',
          'sec-fetch-mode': 'navigate',
          'sec-fetch-dest': 'document',
        }
        const state = await server.open(requestWith(jar, '/', { headers }))
        take(jar, await state.save(new Headers()))
        for (const listener of listeners) listener('cookies')
        return state.snapshot()
      },
    }
  }

  return { server, openDevice, clock }
}

/** Texts of all rows that a device keeps. */
const kept = async (rows: ReturnType<typeof memoryRows>) => JSON.stringify([...(await rows.load(''))])

describe('a bin that follows a user, in a browser', () => {
  it('is merged at the login, and the same on all devices of the user', async () => {
    const { openDevice } = setUp()
    const [laptop, phone] = [openDevice(), openDevice()]
    const [onLaptop, onPhone] = [await laptop.open(), await phone.open()]
    onLaptop.set('cart', ['tea'])
    await onLaptop.sync()
    await laptop.logIn('ann')
    await onLaptop.sync()
    expect(onLaptop.get('cart')).toEqual(['tea'])
    onPhone.set('cart', ['milk'])
    await onPhone.sync()
    await phone.logIn('ann')
    await onPhone.sync()
    expect(onPhone.get('cart')).toEqual(['tea', 'milk'])
    await onLaptop.sync()
    expect(onLaptop.get('cart')).toEqual(['tea', 'milk'])
    await onLaptop.update('cart', (cart = []) => [...cart, 'bread'])
    await onLaptop.sync()
    await onPhone.sync()
    expect(onPhone.get('cart')).toEqual(['tea', 'milk', 'bread'])
  })

  it('comes to a device that was no visitor before', async () => {
    const { openDevice } = setUp()
    const [laptop, phone] = [openDevice(), openDevice()]
    const onLaptop = await laptop.open()
    await laptop.logIn('ann')
    onLaptop.set('cart', ['tea'])
    await onLaptop.sync()
    await phone.logIn('ann')
    const onPhone = await phone.open({ wait: 1_000 })
    expect([onPhone.get('cart'), onPhone.loaded('cart')]).toEqual([['tea'], true])
    expect(phone.requests.length).toBeGreaterThan(0)
  })

  it('shows what the visitor had until the user’s is there', async () => {
    const { openDevice } = setUp()
    const device = openDevice()
    const state = await device.open()
    state.set('cart', ['tea'])
    await state.sync()
    device.network.isOnline = false
    await device.logIn('ann')
    await state.refresh()
    expect(state.get('cart')).toEqual(['tea'])
  })

  it('takes along what was edited before the login and sent after it', async () => {
    const { openDevice, server } = setUp()
    const device = openDevice()
    const state = await device.open()
    state.set('seen', ['page'])
    await state.sync()
    device.network.isOnline = false
    state.set('cart', ['tea'])
    await state.save()
    device.network.isOnline = true
    await device.logIn('ann')
    await state.sync()
    expect(state.get('cart')).toEqual(['tea'])
    expect((await server.export('ann')).bins).toEqual({ cart: ['tea'] })
  })

  it('is gone with the logout, from the page and from the device, and the visitor’s own is not', async () => {
    const { openDevice } = setUp()
    const device = openDevice()
    const state = await device.open()
    state.set('seen', ['page'])
    await state.sync()
    await device.logIn('ann')
    await state.sync()
    state.set('cart', ['tea'])
    await state.sync()
    expect(await kept(device.rows)).toContain('tea')
    await device.logIn(null)
    expect(state.get('cart')).toBeUndefined()
    await state.refresh()
    expect(await kept(device.rows)).not.toContain('tea')
    expect(state.get('seen')).toEqual(['page'])
    await device.logIn('bob')
    await state.sync()
    expect(state.get('cart')).toBeUndefined()
    expect((await (await device.open()).get('seen')) ?? []).toEqual(['page'])
  })

  it('shows the next user nothing of the last one, also before anything is synced', async () => {
    const { openDevice } = setUp()
    const device = openDevice()
    const state = await device.open()
    state.set('seen', ['page'])
    await state.sync()
    await device.logIn('ann')
    await state.sync()
    state.set('cart', ['tea'])
    await state.sync()
    await state.close()
    device.network.isOnline = false
    await device.logIn('bob')
    const next = await device.open()
    expect([next.get('cart'), next.loaded('cart')]).toEqual([undefined, false])
    expect(await kept(device.rows)).not.toContain('tea')
  })

  it.each(['drop', 'keep'] as const)('is never sent as anybody else’s: %s', async (logout) => {
    const { openDevice, server } = setUp()
    const device = openDevice()
    const state = await device.open({ logout })
    state.set('seen', ['page'])
    await state.sync()
    await device.logIn('ann')
    await state.sync()
    device.network.isOnline = false
    state.set('cart', ['tea'])
    await state.save()
    device.network.isOnline = true
    await device.logIn('bob')
    await state.sync()
    expect((await server.export('bob')).bins).toEqual({})
    expect((await server.export('ann')).bins).toEqual({})
    expect(device.events.some(({ type }) => type === 'dropped')).toBe(logout === 'drop')
    await device.logIn('ann')
    await state.sync()
    expect((await server.export('ann')).bins).toEqual(logout === 'keep' ? { cart: ['tea'] } : {})
  })

  it('comes with the page', async () => {
    const { openDevice, clock } = setUp()
    const [laptop, phone] = [openDevice(), openDevice()]
    const onLaptop = await laptop.open()
    onLaptop.set('seen', ['page'])
    await onLaptop.sync()
    await laptop.logIn('ann')
    await onLaptop.sync()
    onLaptop.set('cart', ['tea'])
    await onLaptop.sync()
    const onPhone = await phone.open()
    onPhone.set('seen', ['page'])
    await onPhone.sync()
    await onPhone.close()
    clock.advance(1)
    const snapshot = await phone.logIn('ann')
    phone.requests.length = 0
    const next = await phone.open({ snapshot })
    expect([next.get('cart'), next.loaded('cart'), phone.requests]).toEqual([['tea'], true, []])
  })

  it('waits where the application does not say who is logged in', async () => {
    const server = serveBins(bins, { store: memoryStore(), user: () => undefined })
    const body = {
      v: 1,
      client: 'client',
      parts: [{ owner: 'user', store: 'default', tag: 'u.x', cursor: null, ops: [] }],
    }
    const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
    const init = { method: 'POST', headers, body: JSON.stringify(body) }
    const answer = await server.fetch(new Request('https://example.org/bins/sync', init))
    expect([answer.status, await answer.json()]).toEqual([401, { error: 'unknown-user' }])
  })
})
