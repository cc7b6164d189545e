import { describe, expect, it } from 'vitest'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { BinsError } from '../../../src/core/error.ts'
import { DAY } from '../../support/clock.ts'
import { requestWith } from '../../support/sites/http.ts'
import { cookiesOf, openSite, valueIn } from '../../support/sites/requests.ts'

const bins = defineBins({ visits: { default: 0 } })

const ID = 'A'.repeat(22)
const SECRET = 'B'.repeat(43)

describe('a visitor', () => {
  it.each([
    ['nothing', ''],
    ['no token', 'hello'],
    ['a token without a secret', `${ID}.`],
    ['a short id', `${ID.slice(1)}.${SECRET}`],
    ['a long secret', `${ID}.${SECRET}C`],
    ['a key of another kind', `u:${ID.slice(2)}.${SECRET}`],
    ['a path', `../../../etc/passwd123.${SECRET}`],
    ['a quoted token', `"${ID}.${SECRET}"`],
    ['a script', `${ID}.${SECRET}'; DROP TABLE breadbin`],
  ])('is not looked up by %s', async (_, value) => {
    const { server, store, events } = openSite(bins)
    const headers = { cookie: `__Host-bb=${value}` }
    const state = await server.open(new Request('https://example.org/', { headers }))
    expect(state.get('visits')).toBe(0)
    expect(store.calls).toEqual([])
    expect(events.types).toEqual(['unknown-visitor'])
  })

  it('does not get an id that nobody has', async () => {
    const { server, store, events } = openSite(bins)
    const headers = { cookie: `__Host-bb=${ID}.${SECRET}` }
    const state = await server.open(new Request('https://example.org/', { headers }))
    expect(events.types).toEqual(['unknown-visitor'])
    state.set('visits', 1)
    const value = cookiesOf(await state.save(new Response()))['__Host-bb']?.value
    expect(value).toMatch(/^[\w-]{22}\.[\w-]{43}$/)
    expect(value).not.toContain(ID)
    const keys = (await store.scan?.(undefined, 10))?.entries.map(([key]) => key)
    expect(keys).toEqual([`v:${String(value).slice(0, 22)}`])
  })

  it('is nobody under an id that is somebody’s, with another secret', async () => {
    const { server, openBrowser, events } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const [id = '', secret = ''] = (valueIn(browser.jar, '__Host-bb') ?? '').split('.')
    const almost = `${secret.slice(0, -1)}${secret.endsWith('A') ? 'E' : 'A'}`
    for (const other of [SECRET, almost]) {
      const headers = { cookie: `__Host-bb=${id}.${other}` }
      const state = await server.open(new Request('https://example.org/', { headers }))
      expect([state.get('visits'), state.visitor]).toEqual([0, undefined])
      state.set('visits', 100)
      expect(cookiesOf(await state.save(new Response()))['__Host-bb']?.value).not.toContain(id)
    }
    expect(events.types).toEqual(['unknown-visitor', 'unknown-visitor'])
    expect(await browser.visit((state) => state.get('visits'))).toBe(1)
  })

  it('keeps a secret that the store does not know', async () => {
    const { store, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const [, secret = ''] = (valueIn(browser.jar, '__Host-bb') ?? '').split('.')
    expect(secret).toHaveLength(43)
    expect(JSON.stringify(await store.scan?.(undefined, 10))).not.toContain(secret)
  })

  it('is found by the genuine one of several cookies', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const cookie = `__Host-bb=rubbish; __Host-bb=${ID}.${SECRET}; ${browser.jar.header()}`
    const state = await server.open(new Request('https://example.org/', { headers: { cookie } }))
    expect(state.get('visits')).toBe(1)
  })

  it('costs no more than four reads, however many cookies are sent', async () => {
    const { server, store } = openSite(bins)
    const tokens = Array.from(
      { length: 100 },
      (_, index) => `__Host-bb=${String(index).padEnd(22, 'A')}.${SECRET}`,
    )
    await server.open(new Request('https://example.org/', { headers: { cookie: tokens.join('; ') } }))
    expect(store.calls).toEqual(['read', 'read', 'read', 'read'])
  })

  it.each(['bb', '__Secure-bb', 'other'])(
    'is not found by a cookie named %s on a https site',
    async (name) => {
      const { server, store, openBrowser } = openSite(bins)
      const browser = openBrowser()
      await browser.visit((state) => state.set('visits', 1))
      const before = store.calls.length
      const headers = { cookie: `${name}=${valueIn(browser.jar, '__Host-bb')}` }
      const state = await server.open(new Request('https://example.org/', { headers }))
      expect(state.get('visits')).toBe(0)
      expect(store.calls.length).toBe(before)
    },
  )

  it.each([
    ['https://shop.example', 'http://localhost:3000/', '__Host-bb', true],
    ['http://localhost:3000', 'https://example.org/', 'bb', undefined],
    [undefined, 'http://localhost:3000/', 'bb', undefined],
    [undefined, 'http://example.org/', '__Host-bb', true],
  ])('has cookies for the origin %s, whatever the request %s says', async (origin, url, name, secure) => {
    const { server } = openSite(bins, origin === undefined ? {} : { origin })
    const state = await server.open(new Request(url))
    state.set('visits', 1)
    const cookies = cookiesOf(await state.save(new Response()))
    expect(Object.keys(cookies)).toEqual([name, 'bb.o'])
    expect([cookies[name]?.secure, cookies['bb.o']?.secure]).toEqual([secure, secure])
  })

  it('is not made on a request of another site, whose cookie may just be missing', async () => {
    const { server, store, openBrowser } = openSite(bins)
    for (const headers of [
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
      { origin: 'https://evil.example' },
    ]) {
      const state = await server.open(new Request('https://example.org/', { method: 'POST', headers }))
      state.set('visits', 1)
      await expect(state.save(new Response())).rejects.toMatchObject({ code: 'NO_VISITOR' })
      await expect(state.update('visits', () => 1)).rejects.toMatchObject({ code: 'NO_VISITOR' })
    }
    expect(store.calls).toEqual([])
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const known = await server.open(
      requestWith(browser.jar, '/', { headers: { 'sec-fetch-site': 'cross-site' } }),
    )
    expect(await known.update('visits', (visits) => visits + 1)).toBe(2)
  })

  it('is made for somebody who follows a link from another site', async () => {
    const { server } = openSite(bins)
    const headers = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    }
    const state = await server.open(new Request('https://example.org/', { headers }))
    state.set('visits', 1)
    expect(cookiesOf(await state.save(new Response()))['__Host-bb']).toBeDefined()
  })
})

describe('how many visitors are made', () => {
  it('can be limited for each minute', async () => {
    const { openBrowser, clock } = openSite(bins, { mintsPerMinute: 3 })
    const enter = () =>
      openBrowser()
        .visit((state) => state.set('visits', 1))
        .then(() => 'made', codeOf)
    const all = [await enter(), await enter(), await enter(), await enter()]
    expect(all).toEqual(['made', 'made', 'made', 'NO_VISITOR'])
    clock.advance(20_000)
    expect([await enter(), await enter()]).toEqual(['made', 'NO_VISITOR'])
    clock.advance(3_600_000)
    expect([await enter(), await enter(), await enter(), await enter()]).toEqual(all)
  })

  it('is for the application to decide', async () => {
    const { server, store } = openSite(bins, {
      onMint: ({ headers }) => !new Headers(headers as HeadersInit).get('user-agent')?.includes('bot'),
    })
    const visit = async (agent: string) => {
      const state = await server.open(
        new Request('https://example.org/', { headers: { 'user-agent': agent } }),
      )
      state.set('visits', 1)
      return state.save(new Headers()).then(() => 'made', codeOf)
    }
    expect([await visit('a bot'), await visit('Firefox')]).toEqual(['NO_VISITOR', 'made'])
    expect((await store.scan?.(undefined, 10))?.entries).toHaveLength(1)
  })

  it.each([0, -1, Number.NaN])('is a number: %d is none', (mintsPerMinute) => {
    expect(() => openSite(bins, { mintsPerMinute })).toThrow(/^mintsPerMinute/)
  })
})

describe('how long a visitor lives', () => {
  it('can be limited, however often it comes back', async () => {
    const { openBrowser, clock } = openSite(bins, { visitorAge: '3d' })
    const browser = openBrowser()
    for (let day = 0; day < 3; day += 1) {
      await browser.visit((state) => state.update('visits', (visits) => visits + 1))
      clock.advance(DAY)
    }
    // Another one, and its cookie was to end by then.
    expect(browser.jar.header()).toBe('')
    expect(await browser.visit((state) => state.update('visits', (visits) => visits + 1))).toBe(1)
  })

  it('ends on the server, whatever the browser sends', async () => {
    const { server, openBrowser, clock } = openSite(bins, { visitorAge: '2h' })
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const headers = { cookie: browser.jar.header() }
    clock.advance(DAY / 12 - 1)
    const request = () => new Request('https://example.org/', { headers })
    expect((await server.open(request())).get('visits')).toBe(1)
    clock.advance(1)
    expect((await server.open(request())).get('visits')).toBe(0)
  })
})

function codeOf(error: unknown): string | undefined {
  return error instanceof BinsError ? error.code : undefined
}
