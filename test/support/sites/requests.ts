import { parseSetCookie } from 'cookie'
import type { Definitions } from '../../../src/core/definition/definition.ts'
import type { BinsEvent } from '../../../src/core/event.ts'
import type { ServerOptions } from '../../../src/server/options.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import { type BinsServer, serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import { type FaultyStore, faultyStore } from '../../../src/testing/faulty-store.ts'
import { type Clock, openClock } from '../clock.ts'
import { type CookieJar, openCookieJar, requestWith, take } from './http.ts'

/** Secrets of these tests: the present one, and one that was used before. */
export const SECRETS = [1, 2].map((seed) =>
  Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7 + seed)).toString('base64url'),
)

/** A server of these tests, and what it has done. */
export interface Site<D extends Definitions> {
  readonly server: BinsServer<D>
  /** The default store, which counts its calls. */
  readonly store: FaultyStore
  readonly clock: Clock
  readonly events: Events
  /** Opens a browser without cookies. */
  openBrowser(): SiteBrowser<D>
}

/** A browser on a {@link Site}. */
export interface SiteBrowser<D extends Definitions> {
  readonly jar: CookieJar
  /** A request with the cookies of this browser. */
  request(init?: RequestInit): Request
  /** Opens the bins of a request, uses them, and saves. Takes in the cookies. */
  visit<Result>(
    use: (state: ServerBins<D>) => Result | Promise<Result>,
    names?: Parameters<BinsServer<D>['open']>[1],
  ): Promise<Result>
}

/** Serves bins from memory, by a clock that stands still. */
export function openSite<D extends Definitions>(definitions: D, options: ServerOptions = {}): Site<D> {
  const clock = openClock()
  const events = openEvents()
  const store = faultyStore(options.store ?? memoryStore())
  const server = serveBins(definitions, {
    clock,
    onEvent: events.onEvent,
    secrets: SECRETS,
    ...options,
    store,
  })
  return {
    server,
    store,
    clock,
    events,
    openBrowser() {
      const jar = openCookieJar(clock)
      return {
        jar,
        request: (init) => requestWith(jar, '/', init),
        async visit(use, names) {
          const state = await server.open(requestWith(jar), names)
          const result = await use(state)
          take(jar, await state.save(new Headers()))
          return result
        },
      }
    },
  }
}

/** The cookies that a response sets: their names, and what the browser is told of each. */
export function cookiesOf(response: Response | Headers): Record<string, Record<string, unknown>> {
  const headers = response instanceof Headers ? response : response.headers
  const cookies = headers.getSetCookie().map((line) => parseSetCookie(line, { decode: (text) => text }))
  return Object.fromEntries(cookies.map(({ name, ...rest }) => [name, { ...rest }]))
}

/** The value of a cookie that a browser has. */
export function valueIn(jar: CookieJar, name: string): string | undefined {
  const pair = jar
    .header()
    .split('; ')
    .find((each) => each.startsWith(`${name}=`))
  return pair?.slice(name.length + 1)
}

/** What a listener of events was told. */
export interface Events {
  /** The `onEvent` option. */
  readonly onEvent: (event: BinsEvent) => void
  /** What came, in order. */
  readonly all: readonly BinsEvent[]
  /** The types of what came. */
  readonly types: readonly string[]
}

/** Listens to events. */
export function openEvents(): Events {
  const all: BinsEvent[] = []
  return {
    onEvent: (event) => all.push(event),
    all,
    get types() {
      return all.map(({ type }) => type)
    },
  }
}

/** A store each call of which takes some turns of the event loop. */
export function slowStore(store: Store, turns = 5): Store {
  async function wait(): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    ...store,
    async read(key, options) {
      await wait()
      return store.read(key, options)
    },
    async write(key, next, expected, now) {
      await wait()
      return store.write(key, next, expected, now)
    },
  }
}

/** A store whose writes wait until they are let through. */
export interface GatedStore extends Store {
  /** Lets the writes through that wait, and all later ones. */
  open(): void
  /** Resolves as soon as a write waits. */
  readonly isWaitedFor: Promise<void>
}

/** Opens a store with a gate before its writes. */
export function gatedStore(store: Store): GatedStore {
  const gate = openSignal()
  const arrival = openSignal()
  return {
    ...store,
    async write(key, next, expected, now) {
      arrival.give()
      await gate.given
      return store.write(key, next, expected, now)
    },
    open: gate.give,
    isWaitedFor: arrival.given,
  }
}

/** Something that one side of a test waits for and the other gives. */
export interface Signal {
  /** Resolves when it is given. */
  readonly given: Promise<void>
  /** Gives it. */
  give(): void
}

/** Makes a signal. */
export function openSignal(): Signal {
  let give = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give }
}
