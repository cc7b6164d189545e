import { check } from '../core/check.ts'
import type { Definitions } from '../core/definition.ts'
import type { OnEvent } from '../core/event.ts'
import { COOKIE_HEADER, SET_COOKIE_HEADER } from '../core/transport.ts'
import { openCarried } from './carried.ts'
import { openKeptRows } from './kept-rows.ts'
import type { Moment, Page } from './page.ts'
import { readingOf } from './replica-rows.ts'
import { openPageCookies } from './storages/cookie.ts'
import { openTabs } from './tabs.ts'

/** How the server of a page gets what is kept of the visitor: by the browser's cookies, unless told otherwise. */
export type TransportOptions = CookieTransport | HeaderTransport

/** The browser keeps cookies, and sends them. */
export interface CookieTransport {
  /** Default `'cookie'`. */
  transport?: 'cookie'
  /** Cookies go where `fetch` sends requests. */
  origin?: never
}

/** The browser keeps or sends no cookies: pages keep in IndexedDB what stands for them, and send it in a header. */
export interface HeaderTransport {
  /** Instead of cookies, which count for nothing then. */
  transport: 'header'
  /**
   * Origin of the server, such as `'https://api.example'`, which lists the page's own in `origins` of `serveBins`. Default:
   * the page's own.
   */
  origin?: string
}

/**
 * Opens a page that sends in a header what cookies are elsewhere.
 *
 * @throws TypeError for an origin that is none.
 */
export async function openTransport(
  page: Page,
  definitions: Definitions,
  { origin = location.origin, onEvent }: Pick<HeaderTransport, 'origin'> & { onEvent?: OnEvent },
): Promise<Page> {
  // Twice, since what has no origin has one that is called null.
  const server = new URL(new URL(origin).origin).origin
  const listeners = new Set<(moment: Moment) => void>()
  // Apart from all else: what opens the visitor's bins gets into no other storage, and to no other server.
  const rows = await openKeptRows({
    page: { ...page, texts: undefined },
    name: server,
    reading: readingOf(page, definitions),
    onEvent,
    onStored: () => tabs.tell('cookies'),
  })
  const carried = await openCarried(page, {
    rows,
    onChange() {
      for (const listener of listeners) listener('cookies')
    },
  })
  const tabs = openTabs(page, () => void carried.update())
  const cookies = openPageCookies(definitions, { ...page, onEvent, place: carried })

  return {
    ...page,
    async fetch(path, init = {}) {
      const url = new URL(String(path), server)
      check(url.origin === server, 'fetch', `pass a path on ${server}`)
      // Another page may have got another secret. One that goes away has no time to look.
      if (!init.keepalive) await carried.update()
      const headers = new Headers(init.headers)
      headers.set(COOKIE_HEADER, carried.format())
      // With a redirect, the header would go along to whoever that leads to.
      const response = await page.fetch(url, {
        ...init,
        headers,
        credentials: 'omit',
        redirect: 'error',
      })
      // It is kept before anybody builds on the answer: a page that comes after this one must know its visitor.
      await carried.take(response.headers.get(SET_COOKIE_HEADER))
      return response
    },
    // It cannot send headers.
    EventSource: undefined,
    cookies: {
      ...cookies,
      agree: carried.update,
      flush: carried.update,
      get unkept() {
        return rows.isAtHome() ? [] : cookies.names()
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
      await carried.update()
      rows.close()
    },
  }
}
