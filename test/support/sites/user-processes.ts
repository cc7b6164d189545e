import * as z from 'zod/mini'
import type { Bus } from '../../../src/buses/bus.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { openClock, openTimers } from '../clock.ts'
import { type CookieJar, NAVIGATION, openCookieJar, requestWith, take } from './http.ts'
import { readEvents, seededRandom } from './live.ts'

const strings = z.array(z.string())
const bins = defineBins({
  cart: { schema: strings, browser: 'write', scope: 'user' },
  seen: { schema: strings, browser: 'write' },
})

/** Opens a site on one store with a process for each of these buses; users have devices, each of which knows one process. */
export function openUserProcesses(buses: readonly Bus[]) {
  const clock = openClock()
  const store = memoryStore()
  const servers = buses.map((bus, index) =>
    serveBins(bins, {
      store,
      bus,
      clock,
      random: seededRandom(index + 1),
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
