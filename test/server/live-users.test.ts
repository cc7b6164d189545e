import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { memoryBus } from '../../src/buses/memory.ts'
import { defineBins } from '../../src/core/definition.ts'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { openClock, openTimers } from '../support/clock.ts'
import { type CookieJar, NAVIGATION, openCookieJar, requestWith, take } from '../support/http.ts'
import { readEvents, seededRandom } from '../support/live.ts'

const strings = z.array(z.string())
const bins = defineBins({
  cart: { schema: strings, browser: 'write', scope: 'user' },
  seen: { schema: strings, browser: 'write' },
})

/** Two processes on one store, which a bus connects. */
function openProcesses() {
  const clock = openClock()
  const [store, bus] = [memoryStore(), memoryBus()]
  const servers = [1, 2].map((seed) =>
    serveBins(bins, {
      store,
      bus,
      clock,
      random: seededRandom(seed),
      timer: openTimers().start,
      user: ({ headers }) => new Headers(headers as HeadersInit).get('x-user'),
    }),
  )

  /** A device of a user, whose requests all come to one process. */
  async function openDevice(process: number, user: string | undefined) {
    const server = servers[process] as (typeof servers)[number]
    const jar: CookieJar = openCookieJar(clock)
    const headers = { ...NAVIGATION, ...(user === undefined ? {} : { 'x-user': user }) }
    const edit = async (name: 'cart' | 'seen', item: string) => {
      clock.advance(1)
      const state = await server.open(requestWith(jar, '/', { headers }))
      state.set(name, [item])
      take(jar, await state.save(new Headers()))
    }
    await edit('seen', 'page')
    await edit('cart', 'tea')
    const events = readEvents(await server.fetch(requestWith(jar, '/bins/events', { headers })))
    const hello = (await events.next()) as { data: { cursors: object } }
    return { edit, events, cursors: hello.data.cursors }
  }

  return { openDevice, close: () => Promise.all(servers.map((server) => server.close())) }
}

describe('a live stream', () => {
  it('tells a device of what the same user changes on another one, through another process', async () => {
    const { openDevice, close } = openProcesses()
    const [laptop, phone] = [await openDevice(0, 'ann'), await openDevice(1, 'ann')]
    expect(Object.keys(laptop.cursors)).toEqual(['default', 'user/default'])
    await phone.edit('cart', 'milk')
    const poke = await laptop.events.next()
    expect(poke).toMatchObject({ event: 'poke', data: { cursors: { 'user/default': expect.any(String) } } })
    await close()
  })

  it('tells nobody else of it', async () => {
    const { openDevice, close } = openProcesses()
    const others = [await openDevice(0, 'bob'), await openDevice(0, undefined)]
    const phone = await openDevice(1, 'ann')
    await phone.edit('cart', 'milk')
    for (const other of others) {
      await other.edit('seen', 'another page')
      // The first event is about what it has changed itself.
      expect(await other.events.next()).toMatchObject({ data: { cursors: { default: expect.any(String) } } })
    }
    expect(Object.keys(others[1]?.cursors ?? {})).toEqual(['default'])
    await close()
  })
})
