import * as z from 'zod/mini'
import type { Bus } from '../../../src/buses/bus.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { type BinsServer, serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import { openClock, openTimers, type Timers } from '../clock.ts'
import { type CookieJar, ORIGIN, openCookieJar, requestWith, take } from './http.ts'
import { type EventReader, readEvents, seededRandom } from './live.ts'
import { type Events, openEvents } from './requests.ts'

/** The bins of these tests. */
export const bins = defineBins({ cart: { schema: z.array(z.string()), browser: 'write', default: [] } })

/** A process of a site with several, all on one store. */
export interface Process {
  readonly server: BinsServer<typeof bins>
  readonly timers: Timers
  readonly events: Events
  /** Opens a stream for the visitor of this site, whose hello has come. */
  listen(): Promise<EventReader>
  /** Changes the cart of the visitor in this process. */
  edit(fruit: string): Promise<void>
}

/** A site with one visitor. */
export interface LiveSite {
  readonly jar: CookieJar
  /** Starts a process. */
  start(bus?: Bus): Process
  /** Ends all processes. */
  close(): Promise<void>
}

/** Opens a site. */
export async function openLiveSite(store: Store = memoryStore()): Promise<LiveSite> {
  const clock = openClock()
  const jar = openCookieJar(clock)
  const servers: BinsServer[] = []

  function start(bus?: Bus): Process {
    const timers = openTimers()
    const events = openEvents()
    const random = seededRandom(servers.length + 1)
    const server = serveBins(bins, {
      store,
      clock,
      random,
      timer: timers.start,
      onEvent: events.onEvent,
      ...(bus ? { bus } : {}),
    })
    servers.push(server)
    return {
      server,
      timers,
      events,
      async listen() {
        const reader = readEvents(await server.fetch(requestWith(jar, '/bins/events')))
        await reader.next()
        return reader
      },
      async edit(fruit) {
        clock.advance(1)
        const state = await server.open(requestWith(jar))
        state.set('cart', [fruit])
        take(jar, await state.save(new Headers()))
      },
    }
  }

  await start().edit('first')
  return {
    jar,
    start,
    async close() {
      for (const server of servers) await server.close()
    },
  }
}

/** A request for the events of this site's visitor. */
export function eventsOf(jar: CookieJar): Request {
  return new Request(new URL('/bins/events', ORIGIN), { headers: { cookie: jar.header() } })
}
