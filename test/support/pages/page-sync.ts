import * as z from 'zod/mini'
import type { ClientBins } from '../../../src/client/client-bins.ts'
import type { ClientOptions } from '../../../src/client/open-bins.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinsEvent } from '../../../src/core/event.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { openClock, openTimers } from '../clock.ts'
import { fetchWith, requestWith, take } from '../sites/http.ts'
import { openProfile, type Profile } from './page.ts'

/** The bins of these pages and their server. */
export const bins = defineBins({
  count: {
    schema: z._default(z.number(), 0),
    browser: 'write',
    merge: (base = 0, mine = 0, theirs = 0) => theirs + mine - base,
  },
  note: { schema: z.string(), browser: 'write' },
  other: { schema: z.string(), browser: 'write' },
  plan: { schema: z.string(), browser: 'read' },
  secret: { schema: z.string() },
})

/** What answers a request. */
export type Answer = (request: Request) => Promise<Response>

/** A server, and pages of one browser that sync with it over a network that can be broken. */
export function setUp({ blocksCookies = false } = {}) {
  const clock = openClock()
  const timers = openTimers()
  const events: BinsEvent[] = []
  const requests: Request[] = []
  const server = serveBins(bins, { store: memoryStore(), clock })
  const profile = openProfile({ blocksCookies })
  const network = { answer: server.fetch as Answer }

  /** Opens a page. In these pages there is no IndexedDB: each has a replica of its own, as if it were a browser. */
  function openPage(options: ClientOptions = {}, { jar, open }: Profile = profile) {
    const fetch = fetchWith(jar, (request) => {
      requests.push(request.clone())
      return network.answer(request)
    })
    const onEvent = (event: BinsEvent) => events.push(event)
    return open(bins, { clock, random: () => 0.5, timer: timers.start, fetch, onEvent, ...options })
  }

  /** What a page request finds. */
  async function onServer(name: (typeof bins.names)[number]): Promise<unknown> {
    return (await server.open(requestWith(profile.jar))).get(name as 'note')
  }

  /** Changes bins in a page request. */
  async function inRequest(change: (state: Awaited<ReturnType<typeof server.open>>) => void): Promise<void> {
    const state = await server.open(requestWith(profile.jar))
    change(state)
    take(profile.jar, await state.save(new Headers()))
  }

  /** Delays of the timers that wait, in ms. */
  const delays = () => timers.waiting.map(({ ms }) => ms)

  return { clock, timers, events, requests, server, profile, network, openPage, onServer, inRequest, delays }
}

/** Nobody is reached. */
export const offline: Answer = () => Promise.reject(new TypeError('Failed to fetch'))

/** The server does what it was asked, and nobody hears of it. */
export const losingAnswers =
  (answer: Answer): Answer =>
  async (request) => {
    await answer(request)
    return offline(request)
  }

/** A captive portal answers in its place. */
export const portal: Answer = async () =>
  new Response('<p>Log in to the Wi-Fi</p>', { headers: { 'content-type': 'text/html' } })

/** It answers, but does not want us. */
export const refusing =
  (status: number, headers: Record<string, string> = {}): Answer =>
  async () =>
    Response.json({}, { status, headers })

/** A promise, and what fulfils it. */
export function openGate<Value>(): { promise: Promise<Value>; resolve: (value: Value) => void } {
  let resolve: (value: Value) => void = () => {}
  const promise = new Promise<Value>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}

/** Lets everything happen that waits for nothing outside of this process. */
export function idle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Resolves when no exchange is running. */
export function settled(page: ClientBins): Promise<void> {
  return new Promise((resolve) => {
    const stop = page.watch(look)
    look()
    function look() {
      if (page.status().phase === 'syncing') return
      stop()
      resolve()
    }
  })
}
