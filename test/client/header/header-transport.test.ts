// @vitest-environment node
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import type { BinsOptions } from '../../../src/client/client-bins.ts'
import { headerTransport } from '../../../src/client/header/header-transport.ts'
import { takeLink } from '../../../src/client/link.ts'
import type { Moment, OnMessage } from '../../../src/client/page/page.ts'
import { openPageBins } from '../../../src/client/page-bins.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import type { Rows } from '../../../src/client/table/rows.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinsEvent } from '../../../src/core/event.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { DAY, openClock } from '../../support/clock.ts'
import { fakePage } from '../../support/pages/fake-page.ts'
import { fakeStorage } from '../../support/pages/fake-storage.ts'
import { openProfile } from '../../support/pages/page.ts'
import { idle, openGate, settled } from '../../support/pages/page-sync.ts'
import { SECRETS } from '../../support/sites/requests.ts'

const APP = 'https://app.example'
const API = 'https://api.example'

const bins = defineBins({
  note: { schema: z.string(), browser: 'write' },
  cart: { schema: z.array(z.string()), browser: 'write', scope: 'user' },
  theme: { schema: z.string(), storage: 'cookie' },
  tab: { schema: z.string(), storage: 'cookie', maxAge: 'session' },
  plan: { schema: z.string(), storage: 'cookie', browser: 'read' },
  secret: { schema: z.string(), storage: 'cookie', browser: 'none' },
})

/** Rows that fail when they are told to. */
function breakable(rows: Rows): Rows & { isBroken: boolean } {
  const attempt = <Result>(work: () => Promise<Result>) =>
    all.isBroken ? Promise.reject(new Error('broken')) : work()
  const all = {
    isBroken: false,
    load: (prefix: string) => attempt(() => rows.load(prefix)),
    change: (...change: Parameters<Rows['change']>) => attempt(() => rows.change(...change)),
    close() {},
  }
  return all
}

/** An API, and an app on another origin with its pages. */
function setUp() {
  const clock = openClock()
  const requests: Request[] = []
  const events: BinsEvent[] = []
  const cookieRows = breakable(memoryRows())
  const rows = memoryRows()
  const texts = fakeStorage()
  const channels = new Set<OnMessage>()
  const network = { user: null as string | null }
  const server = serveBins(bins, {
    store: memoryStore(),
    clock,
    secrets: SECRETS,
    origins: [APP],
    user: ({ headers }) => new Headers(headers as HeadersInit).get('x-user'),
  })
  let ids = 0

  /** What the API does with requests other than syncs: sets what its address says, and says what there is. */
  function answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname.startsWith('/bins/')) return server.fetch(request)
    return server.handle(request, async (state) => {
      for (const [name, text] of searchParams) state.set(name as 'theme', text)
      if (pathname === '/rotate') await state.rotate()
      return Response.json([
        state.get('note') ?? null,
        state.get('theme') ?? null,
        state.get('secret') ?? null,
      ])
    })
  }

  async function openRemote(table: Rows = cookieRows, origin = API) {
    const moments = new Set<(moment: Moment) => void>()
    const page = fakePage({
      rows: table,
      texts,
      clock,
      newId: () => `id-${++ids}`,
      EventSource: class {} as unknown as typeof EventSource,
      async fetch(url, init) {
        const headers = new Headers(init?.headers)
        headers.set('origin', APP)
        if (network.user !== null) headers.set('x-user', network.user)
        const request = new Request(url as URL, { ...init, headers })
        requests.push(request.clone())
        return answer(request)
      },
      watch(listener) {
        moments.add(listener)
        return () => moments.delete(listener)
      },
      openChannel(listener) {
        channels.add(listener)
        const post = (message: unknown) => {
          // As browsers do.
          if (!channels.has(listener)) throw new DOMException('closed', 'InvalidStateError')
          for (const other of channels) if (other !== listener) other(message)
        }
        return { post, close: () => channels.delete(listener) }
      },
    })
    const remote = await headerTransport({ origin })(page, bins, (event) => events.push(event))
    const befall = (moment: Moment) => {
      for (const listener of [...moments]) listener(moment)
    }
    return { remote, befall }
  }

  async function open(options: BinsOptions = {}) {
    const { remote, befall } = await openRemote()
    const page = await openPageBins({ ...remote, rows }, bins, {
      ...options,
      onEvent: (event) => events.push(event),
    })
    return { ...page, befall }
  }

  const said = async (page: { fetch: (path: string, init?: RequestInit) => Promise<Response> }, path = '/') =>
    (await page.fetch(path, { method: 'POST' })).json()
  const stored = async () => [...(await cookieRows.load('')).keys()].map((key) => key.slice(2)).sort()
  return { server, clock, requests, events, cookieRows, texts, network, open, openRemote, said, stored }
}

describe('openBins with headerTransport', () => {
  it('syncs, and sends and keeps no cookie', async () => {
    const { open, requests, said, stored } = setUp()
    const page = await open()
    page.set('note', 'mine')
    expect(await page.sync()).toMatchObject({ accepted: ['note'] })
    expect(await said(page)).toEqual(['mine', null, null])
    expect(requests.slice(0, 3).map(({ url }) => url)).toEqual([
      `${API}/bins/sync`,
      `${API}/bins/sync`,
      `${API}/`,
    ])
    expect(requests.slice(0, 3).map(({ headers }) => headers.get('breadbin-cookie'))).toEqual([
      '-',
      expect.stringMatching(/^__Host-bb=[\w.-]{66}; bb\.o=[\w-]{16}$/),
      expect.stringMatching(/^__Host-bb=[\w.-]{66}; bb\.o=[\w-]{16}$/),
    ])
    expect(new Set(requests.map(({ credentials, redirect }) => `${credentials} ${redirect}`))).toEqual(
      new Set(['omit error']),
    )
    expect(requests.filter(({ headers }) => headers.has('cookie'))).toEqual([])
    expect(await stored()).toEqual(['__Host-bb', 'bb.o'])
  })

  it('has the same bins after a reload', async () => {
    const { open } = setUp()
    const page = await open()
    page.set('note', 'mine')
    page.set('theme', 'dark')
    await page.sync()
    await page.save()
    await page.close()
    const next = await open()
    expect([next.get('note'), next.get('theme')]).toEqual(['mine', 'dark'])
    expect(await next.sync()).toMatchObject({ accepted: [] })
    expect(next.status().problem).toBeUndefined()
  })

  it('becomes the visitor of another device by a link', async () => {
    const { server, open } = setUp()
    const laptop = await server.open(new Request(API), ['note'])
    laptop.set('note', 'of the laptop')
    const url = await laptop.link('/')
    await laptop.save(new Headers())
    const link = openProfile().run(() => {
      history.replaceState(null, '', url)
      return takeLink(bins)
    })
    const page = await open()
    expect(await link?.accept(page)).toBe('accepted')
    expect(page.get('note')).toBe('of the laptop')
  })

  it('brings cookie bins to the server, and back', async () => {
    const { open, said } = setUp()
    const page = await open()
    page.set('theme', 'dark')
    expect(await said(page)).toEqual([null, 'dark', null])
    const heard: unknown[] = []
    page.subscribe('theme', (theme) => heard.push(theme))
    await said(page, '/?theme=light&plan=gold&secret=hidden')
    expect([page.get('theme'), page.get('plan'), page.get('secret')]).toEqual(['light', 'gold', undefined])
    expect(heard).toEqual(['dark', 'light'])
    expect(await said(page)).toEqual([null, 'light', 'hidden'])
    page.set('theme', null)
    expect(await said(page)).toEqual([null, null, 'hidden'])
  })

  it('shares all that with other pages', async () => {
    const { open, said, requests } = setUp()
    const [one, other] = [await open(), await open()]
    one.set('theme', 'dark')
    await one.save()
    await idle()
    expect(other.get('theme')).toBe('dark')
    await said(one, '/?theme=light')
    await idle()
    expect(other.get('theme')).toBe('light')
    one.set('note', 'mine')
    await one.sync()
    await other.sync()
    expect(other.get('note')).toBe('mine')
    const tags = requests.map(
      ({ headers }) => /bb\.o=([\w-]+)/.exec(headers.get('breadbin-cookie') ?? '')?.[1],
    )
    expect(new Set(tags).size).toBe(2)
    expect(await said(other)).toEqual(await said(one))
  })

  it('adds up what several pages make of a cookie bin at a time', async () => {
    const { open } = setUp()
    const [one, other] = [await open(), await open()]
    for (let turn = 0; turn < 3; turn += 1) {
      await one.update('theme', (theme = '') => `${theme}1`)
      await other.update('theme', (theme = '') => `${theme}2`)
    }
    await idle()
    expect([one.get('theme'), other.get('theme')]).toEqual(['121212', '121212'])
  })

  it('takes the secret that another page has got, although nobody has told it', async () => {
    const { open, openRemote, clock, said } = setUp()
    const page = await open()
    page.set('note', 'mine')
    await page.sync()
    // What has made the visitor known leads to one more exchange.
    await page.sync()
    await idle()
    // Its messages get lost.
    const { remote } = await openRemote()
    await remote.close?.()
    await remote.fetch('/rotate', { method: 'POST' })
    await remote.fetch('/', { method: 'POST' })
    clock.advance(31_000)
    expect(await said(page)).toEqual(['mine', null, null])
  })

  it('has stored who its visitor is before anybody builds on it', async () => {
    const { openRemote, cookieRows } = setUp()
    const gate = openGate<void>()
    const change: Rows['change'] = async (...parameters) => {
      await gate.promise
      return cookieRows.change(...parameters)
    }
    const { remote } = await openRemote({ load: cookieRows.load, change, close() {} })
    let isAnswered = false
    const answer = remote.fetch('/?note=mine', { method: 'POST' }).then(() => {
      isAnswered = true
    })
    await idle()
    await idle()
    expect([isAnswered, remote.cookies.visitorTag()]).toEqual([false, expect.any(String)])
    gate.resolve()
    await answer
  })

  it('follows the user who is logged in, and leaves nothing behind', async () => {
    const { open, network } = setUp()
    const page = await open()
    page.set('note', 'mine')
    await page.sync()
    network.user = 'ann'
    await page.sync()
    page.set('cart', ['tea'])
    expect(await page.sync()).toMatchObject({ accepted: ['cart'] })
    expect(page.get('cart')).toEqual(['tea'])
    network.user = null
    await page.sync()
    await idle()
    expect([page.get('note'), page.get('cart')]).toEqual(['mine', undefined])
  })

  it('sends at once what waits when the page is left', async () => {
    const { open, requests } = setUp()
    const page = await open()
    page.set('note', 'mine')
    await page.sync()
    page.set('note', 'more')
    await page.save()
    requests.length = 0
    page.befall('hidden')
    expect(requests.map(({ url, keepalive }) => [url, keepalive])).toEqual([[`${API}/bins/sync`, true]])
    expect(requests[0]?.headers.get('breadbin-cookie')).toMatch(/^__Host-bb=/)
  })

  it('clears all of it', async () => {
    const { open, said, stored } = setUp()
    const page = await open()
    page.set('note', 'mine')
    page.set('theme', 'dark')
    await said(page, '/?secret=hidden')
    await page.sync()
    await page.clear()
    await settled(page)
    expect([page.names(), await stored()]).toEqual([[], []])
    expect(await said(page)).toEqual([null, null, null])
  })

  it('lets cookie bins expire, and the browser session a day after it has begun', async () => {
    const { open, clock } = setUp()
    const page = await open()
    page.set('theme', 'dark')
    page.set('tab', 'text')
    await page.save()
    clock.advance(DAY - 1_000)
    expect((await open()).get('tab')).toBe('text')
    clock.advance(1_000)
    const next = await open()
    expect([next.get('tab'), next.get('theme')]).toEqual([undefined, 'dark'])
    clock.advance(29 * DAY)
    expect(next.get('theme')).toBeUndefined()
  })

  it('says that nothing is kept where it cannot be stored, and stores it as soon as it can', async () => {
    const { open, said, events, cookieRows, stored, texts } = setUp()
    const page = await open()
    cookieRows.isBroken = true
    page.set('theme', 'dark')
    await expect(page.save()).rejects.toMatchObject({ code: 'NOT_KEPT', bin: 'theme' })
    expect(page.status().problem).toBe('not-kept')
    expect(events).toEqual([{ type: 'not-kept', bin: '', cause: new Error('broken') }])
    expect(await said(page)).toEqual([null, 'dark', null])
    page.set('note', 'mine')
    await page.sync()
    expect(Object.keys(texts)).toEqual([])
    cookieRows.isBroken = false
    await page.save()
    expect([await stored(), page.status().problem]).toEqual([['__Host-bb', 'bb-theme', 'bb.o'], undefined])
  })

  it('writes over nothing that it could not read', async () => {
    const { open, cookieRows } = setUp()
    const page = await open()
    page.set('note', 'mine')
    await page.sync()
    await page.close()
    const before = await cookieRows.load('')
    cookieRows.isBroken = true
    const blind = await open()
    cookieRows.isBroken = false
    blind.set('theme', 'dark')
    await blind.sync()
    expect(await cookieRows.load('')).toEqual(before)
    expect((await open()).get('note')).toBe('mine')
  })

  it('sends to its server alone', async () => {
    const { open, requests } = setUp()
    const page = await open()
    for (const path of ['https://evil.example/', '//evil.example/', 'http://api.example/', 'data:,']) {
      await expect(page.fetch(path)).rejects.toThrow(
        new TypeError('fetch: pass a path on https://api.example.'),
      )
    }
    expect(requests).toEqual([])
    expect((await page.fetch('https://api.example/?theme=dark')).status).toBe(200)
  })

  it('takes the origin of an address, and refuses what has none', async () => {
    const { openRemote, requests } = setUp()
    const { remote } = await openRemote(undefined, 'https://API.example:443/path')
    await remote.fetch('/')
    expect(requests[0]?.url).toBe(`${API}/`)
    for (const none of ['api.example', 'file:///app', 'capacitor://localhost', '']) {
      await expect(openRemote(undefined, none)).rejects.toThrow(TypeError)
    }
  })

  it('opens no stream of events, which could not carry a header', async () => {
    expect((await setUp().openRemote()).remote.EventSource).toBeUndefined()
  })

  it('adds to the headers of a request', async () => {
    const { open, requests } = setUp()
    const page = await open()
    for (const headers of [{ 'x-own': '1' }, new Headers({ 'x-own': '1' })])
      await page.fetch('/', { headers })
    expect(requests.map(({ headers }) => [headers.get('x-own'), headers.get('breadbin-cookie')])).toEqual([
      ['1', '-'],
      ['1', '-'],
    ])
  })
})
