import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseCookie } from 'cookie'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { BinsError } from '../../../src/core/error.ts'
import { toNodeHandler } from '../../../src/server/http/node-handler.ts'
import type { ServerOptions } from '../../../src/server/options.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { openClock } from '../clock.ts'
import { openCookieJar, take } from './http.ts'
import { openEvents, valueIn } from './requests.ts'

const items = z.array(z.string())

/** The bins of {@link openLinkSite}. */
export const linkBins = defineBins({
  cart: {
    schema: items,
    browser: 'write',
    merge: (_, mine = [], theirs = []) => [...theirs, ...mine],
  },
  note: { schema: z.string(), browser: 'write' },
  plan: { schema: z.string(), merge: 'server', store: 'other' },
  saved: { schema: items, browser: 'write', scope: 'user' },
  tab: { schema: z.string(), browser: 'write', maxAge: 'session' },
})

type State = ServerBins<typeof linkBins>

/** What a device has been answered to a link. */
export interface LinkReply {
  readonly status: number
  readonly text: string
  /** Names of the cookies that were set. */
  readonly cookies: string[]
}

/**
 * Serves bins over HTTP, with a clock that stands still. Who is logged in is in a cookie of its own, without any security;
 * `?` means that it is not known.
 */
export async function openLinkSite(options: ServerOptions = {}) {
  const clock = openClock()
  const events = openEvents()
  const stores = { default: options.store ?? memoryStore(), other: memoryStore() }
  const server = serveBins(linkBins, {
    clock,
    onEvent: events.onEvent,
    user: ({ headers }) => {
      const { sid = null } = parseCookie(new Headers(headers as HeadersInit).get('cookie') ?? '')
      return sid === '?' ? undefined : sid
    },
    stores: { other: stores.other },
    ...options,
    store: stores.default,
  })
  /** What the next request to a page does. */
  const visits = new Map<string, (state: State) => unknown>()
  let count = 0

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    const visit = visits.get(pathname)
    if (!visit) return server.fetch(request)
    visits.delete(pathname)
    const state = await server.open(request)
    try {
      const result = await visit(state)
      return await state.save(Response.json({ result }))
    } catch (error) {
      if (!(error instanceof BinsError)) throw error
      return Response.json({ code: error.code }, { status: 409 })
    }
  }

  const http = createServer(toNodeHandler(answer)).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`

  function openDevice() {
    const jar = openCookieJar(clock)

    /** Sends a request of a page of the site, and takes in the cookies of its answer; those of a lost one are lost. */
    async function send(path: string, init: RequestInit, { isLost = false } = {}): Promise<Response> {
      const headers = { 'content-type': 'application/json', origin: url, cookie: jar.header() }
      const response = await fetch(url + path, { ...init, headers })
      return isLost ? response : take(jar, response)
    }

    return {
      jar,
      logIn: (user: string | null) => jar.set(user === null ? 'sid=; Max-Age=0' : `sid=${user}`),
      /** Opens a page. Answers what it has done, or the code of its failure. */
      async visit<Result>(
        use: (state: State) => Result | Promise<Result>,
        { method = 'POST', isLost = false } = {},
      ): Promise<Awaited<Result>> {
        count += 1
        visits.set(`/visit/${count}`, use)
        const body = await (await send(`/visit/${count}`, { method }, { isLost })).json()
        return body.code ?? body.result
      },
      /** Comes with a link. */
      async accept(
        link: string,
        { merge = false, isLost = false }: { merge?: boolean; isLost?: boolean } = {},
      ): Promise<LinkReply> {
        const token = link.split('#bb-link=')[1]
        const body = JSON.stringify({ v: 1, token, ...(merge ? { merge } : {}) })
        const response = await send('/bins/link', { method: 'POST', body }, { isLost })
        const cookies = response.headers.getSetCookie().map((line) => line.split('=', 1)[0] ?? '')
        return { status: response.status, text: await response.text(), cookies: cookies.sort() }
      },
      /** What is in the visitor cookie. */
      token: () => valueIn(jar, 'bb') ?? '',
      /** Who the browser believes to be. */
      tag: () => valueIn(jar, 'bb.o') ?? '',
    }
  }

  async function dump(): Promise<string> {
    const scans = await Promise.all(Object.values(stores).map((store) => store.scan?.(undefined, 1_000)))
    return JSON.stringify(scans.map((scan) => Object.fromEntries(scan?.entries.sort() ?? [])))
  }

  return {
    url,
    server,
    clock,
    events,
    openDevice,
    /** All that is in the stores. */
    dump,
    async close() {
      http.closeAllConnections()
      http.close()
      await server.close()
    },
  }
}

/** A device of {@link openLinkSite}. */
export type LinkDevice = ReturnType<Awaited<ReturnType<typeof openLinkSite>>['openDevice']>
