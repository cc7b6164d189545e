import type { Definitions } from '../core/definition.ts'
import type { OnEvent } from '../core/event.ts'
import {
  COOKIE_HEADER,
  formatCookies,
  parseCarried,
  SET_COOKIE_HEADER,
  type Transport,
} from '../core/transport.ts'
import type { Moment, Page } from './page.ts'
import { openCarried } from './storages/carried.ts'
import { openPageCookies } from './storages/cookie.ts'
import { deviceRows } from './storages/device.ts'
import { openTabs } from './tabs.ts'

/** How a page reaches a server that is not its own, or that gets no cookies from it. */
export interface TransportOptions {
  /**
   * Origin of the server, such as `'https://api.example'`: it lists this page's in `origins` of `serveBins`. Default: the
   * page's own.
   */
  origin?: string
  /**
   * How the server knows the visitor again, and gets cookie bins: by the browser's cookies, or by a header that this page
   * sends, with what it keeps in IndexedDB, where the browser keeps or sends no cookies. The cookies count for nothing then.
   * Default `'cookie'`.
   */
  transport?: Transport
}

/** How long IndexedDB may take for one transaction, in ms. */
const DEADLINE_MS = 5_000

/**
 * Opens a page as one whose server is elsewhere, or gets no cookies.
 *
 * @throws TypeError for options that cannot work.
 */
export async function openTransport(
  page: Page,
  definitions: Definitions,
  { transport = 'cookie', origin, onEvent }: TransportOptions & { onEvent?: OnEvent },
): Promise<Page> {
  const server = toOrigin(origin)
  if (transport === 'header') return openCarrying(page, definitions, { server, onEvent })
  if (transport !== 'cookie') throw new TypeError("transport: pass 'cookie' or 'header'.")
  const { EventSource } = page
  return {
    ...page,
    fetch: async (path, init) => page.fetch(addressOf(path, server), { ...init, credentials: 'include' }),
    EventSource:
      EventSource &&
      class extends EventSource {
        constructor(path: string | URL) {
          super(addressOf(path, server), { withCredentials: true })
        }
      },
  }
}

/** Opens a page that carries what cookies would be in a header. */
async function openCarrying(
  page: Page,
  definitions: Definitions,
  { server, onEvent }: { server: string; onEvent: OnEvent | undefined },
): Promise<Page> {
  const { clock } = page
  const { prefix } = definitions.cookie
  const listeners = new Set<(moment: Moment) => void>()
  // Apart from all else: what opens the visitor's bins must get into no other storage.
  const rows = page.rows ?? deviceRows({ name: `breadbin-${prefix}-cookies`, deadlineMs: DEADLINE_MS })
  let update = async () => {}
  const tabs = openTabs(page, (changed) => {
    if (changed === 'cookies') void update()
  })
  const carried = await openCarried({
    rows,
    origin: server,
    clock,
    onEvent,
    onChange() {
      for (const listener of [...listeners]) listener('cookies')
    },
    onStored: () => tabs.tell('cookies'),
  })
  update = carried.update
  const cookies = openPageCookies(definitions, { clock, onEvent, place: carried })

  const send: Page['fetch'] = async (path, init = {}) => {
    const url = addressOf(path, server)
    // Another page may have got another secret. One that goes away has no time to look.
    if (!init.keepalive) await update()
    const headers = new Headers(init.headers)
    headers.set(COOKIE_HEADER, formatCookies(carried.all()))
    // Where a redirect leads, the header would go along.
    const response = await page.fetch(url, { ...init, headers, credentials: 'omit', redirect: 'error' })
    const set = response.headers.get(SET_COOKIE_HEADER)
    // It is kept before anybody builds on the answer: a page that ends in between must know its visitor.
    if (set !== null) await carried.take(parseCarried(set))
    return response
  }

  return {
    ...page,
    fetch: send,
    // It cannot send headers.
    EventSource: undefined,
    cookies: {
      ...cookies,
      agree: update,
      flush: carried.flush,
      get unkept() {
        return carried.isKept ? [] : cookies.names()
      },
    },
    watch(listener) {
      listeners.add(listener)
      const stop = page.watch(listener)
      return () => {
        listeners.delete(listener)
        stop()
      }
    },
    async close() {
      tabs.close()
      await update()
      rows.close()
    },
  }
}

function toOrigin(origin = location.origin): string {
  if (/^https?:\/\//.test(origin) && URL.canParse(origin)) return new URL(origin).origin
  throw new TypeError("origin: pass scheme and host of the server, such as 'https://api.example'.")
}

/**
 * Address of a path on the server.
 *
 * @throws TypeError for one elsewhere: what opens the visitor's bins is for the server alone.
 */
function addressOf(path: RequestInfo | URL, server: string): string {
  const { origin, href } = new URL(String(path), server)
  if (origin === server) return href
  throw new TypeError(`fetch: pass a path on ${server}.`)
}
