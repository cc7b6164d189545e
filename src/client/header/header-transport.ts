import { check } from '../../core/check.ts'
import { COOKIE_HEADER, SET_COOKIE_HEADER } from '../../core/cookie/cookie-header.ts'
import type { Definitions } from '../../core/definition/definition.ts'
import type { OnEvent } from '../../core/event.ts'
import { openPageCookies } from '../page/cookies.ts'
import type { Moment, Page, Transport } from '../page/page.ts'
import { openTabs } from '../page/tabs.ts'
import { openKeptRows } from '../replica/kept-rows.ts'
import { readingOf } from '../replica/replica-rows.ts'
import { openCarried } from './header-cookies.ts'

/** Options of {@link headerTransport}. */
export interface HeaderTransportOptions {
  /**
   * Origin of the server, such as `'https://api.example'`, which lists the page's own in `origins` of `serveBins`. Default:
   * the page's own.
   */
  readonly origin?: string
}

/**
 * For pages and apps whose browser keeps or sends no cookies: what stands for them is kept in IndexedDB, and sent in a header.
 * Cookies count for nothing then.
 *
 * ```ts
 * const state = await openBins(bins, { transport: headerTransport({ origin: 'https://api.example' }) })
 * ```
 *
 * @throws TypeError for an origin that is none, by `openBins`.
 */
export function headerTransport({ origin }: HeaderTransportOptions = {}): Transport {
  return (page, definitions, onEvent) =>
    openTransport(page, { definitions, origin: origin ?? location.origin, onEvent })
}

interface TransportContext {
  readonly definitions: Definitions
  readonly origin: string
  readonly onEvent: OnEvent | undefined
}

async function openTransport(page: Page, { definitions, origin, onEvent }: TransportContext): Promise<Page> {
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
