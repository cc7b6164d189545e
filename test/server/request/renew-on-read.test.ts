import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { DAY } from '../../support/clock.ts'
import { NAVIGATION, requestWith, take } from '../../support/sites/http.ts'
import { cookiesOf, openSite, type SiteBrowser, valueIn } from '../../support/sites/requests.ts'

const schema = z.string()
const bins = defineBins({
  read: { schema, browser: 'write', renew: 'read', maxAge: '10d' },
  written: { schema, maxAge: '10d' },
  theme: { schema, storage: 'cookie', renew: 'read', maxAge: '10d' },
  sealed: { schema, storage: 'cookie', browser: 'none', renew: 'read', maxAge: '10d' },
})

const NAMES = ['read', 'written', 'theme', 'sealed'] as const

function setUp() {
  const site = openSite(bins)
  const browser = site.openBrowser()

  /** What a request finds. */
  async function read(headers: Record<string, string> = NAVIGATION, names = NAMES) {
    const state = await site.server.open(browser.request({ headers }), names)
    const found = names.filter((name) => state.get(name) !== undefined)
    const response = take(browser.jar, await state.save(new Headers()))
    return { found, cookies: Object.keys(cookiesOf(response)).sort() }
  }

  const fill = () =>
    browser.visit((state) => {
      for (const name of NAMES) state.set(name, 'data')
    })
  return { ...site, browser, read, fill }
}

/** Exchanges nothing, but asks for all. */
async function pull(server: ReturnType<typeof setUp>['server'], { jar }: SiteBrowser<typeof bins>) {
  const part = { owner: 'visitor', store: 'default', tag: valueIn(jar, 'bb.o'), cursor: null, ops: [] }
  const body = JSON.stringify({ v: 1, client: 'client', parts: [part] })
  const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
  return take(jar, await server.fetch(requestWith(jar, '/bins/sync', { method: 'POST', headers, body })))
}

describe('a bin that reading keeps alive', () => {
  it('lives on in a browser that only reads, with its cookies, and others do not', async () => {
    const { clock, read, fill } = setUp()
    await fill()
    for (let day = 0; day < 30; day += 3) {
      clock.advance(3 * DAY)
      const { found } = await read()
      expect(found).toEqual(day < 9 ? [...NAMES] : ['read', 'theme', 'sealed'])
    }
    clock.advance(11 * DAY)
    expect((await read()).found).toEqual([])
  })

  it('is renewed once in a tenth of its life, and costs nothing in between', async () => {
    const { clock, read, fill, store } = setUp()
    await fill()
    const writes = () => store.calls.filter((call) => call === 'write').length
    const before = writes()
    for (let hours = 0; hours < 23; hours += 1) {
      clock.advance(DAY / 24)
      expect((await read()).cookies).toEqual([])
    }
    expect(writes()).toBe(before)
    clock.advance(DAY / 12)
    expect((await read()).cookies).toEqual(['__Host-bb', 'bb-sealed', 'bb-theme', 'bb.o'])
    expect(writes()).toBe(before + 1)
  })

  it('is not renewed by a plain read, which sets no cookie', async () => {
    const { clock, read, fill, store } = setUp()
    await fill()
    clock.advance(5 * DAY)
    const before = store.calls.filter((call) => call === 'write').length
    const fetched = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }
    expect((await read(fetched)).cookies).toEqual([])
    expect((await read({})).cookies).toEqual([])
    expect(store.calls.filter((call) => call === 'write')).toHaveLength(before)
  })

  it('is renewed only if it is opened', async () => {
    const { clock, read, fill } = setUp()
    await fill()
    clock.advance(5 * DAY)
    const { cookies } = await read(NAVIGATION, ['theme'] as never)
    expect(cookies).toEqual(['bb-theme'])
  })

  it('is renewed by a sync', async () => {
    const { clock, read, fill, server, browser } = setUp()
    await fill()
    for (let day = 0; day < 30; day += 5) {
      clock.advance(5 * DAY)
      const answer = await (await pull(server, browser)).json()
      expect(answer.parts[0].changes).toMatchObject([{ bin: 'read', ttl: 10 * DAY }])
    }
    expect((await read({})).found).toEqual(['read'])
  })
})
