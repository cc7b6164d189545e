import { once } from 'node:events'
// `fetch` decides for itself what it says of where a request comes from.
import { request as askFor, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from '../support/run.ts'
import { findPort, type Started, startProgram } from '../support/servers/program.ts'
import { NAVIGATION, openCookieJar } from '../support/sites/http.ts'

const EXAMPLE = join(ROOT, 'examples/login')

let shop: Started
let url = ''

/** A browser without scripts: it follows redirects, as a navigation. */
function openBrowser() {
  const jar = openCookieJar(Date.now)

  async function request(path: string, fields?: Record<string, string>): Promise<string> {
    const form = fields ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
    const headers = { ...NAVIGATION, ...form, 'user-agent': 'Firefox', cookie: jar.header() }
    const asked = askFor(url + path, { method: fields ? 'POST' : 'GET', headers })
    asked.end(fields && new URLSearchParams(fields).toString())
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    for (const line of response.headers['set-cookie'] ?? []) jar.set(line)
    const page = await text(response)
    const { location } = response.headers
    return location === undefined ? page : request(location)
  }

  return {
    jar,
    request,
    async cart() {
      const page = await request('/')
      const pieces = page.matchAll(/data-pieces="(\w+)">(\d+)</g)
      return Object.fromEntries(
        [...pieces].filter(([, , count]) => count !== '0').map(([, bread, count]) => [bread, Number(count)]),
      )
    },
    add: (bread: string) => request('/add', { bread }),
    logIn: (user: string, password: string) => request('/login', { user, password }),
  }
}

describe('the shop with a login', () => {
  beforeAll(async () => {
    const port = await findPort()
    url = `http://127.0.0.1:${port}`
    const node = join(ROOT, 'node_modules/.bin/node')
    shop = await startProgram(node, [join(EXAMPLE, 'server.mjs')], {
      port,
      folder: EXAMPLE,
      env: { PORT: String(port) },
    })
  })

  afterAll(() => shop?.stop())

  it('merges carts at the login, on two devices, and shows none of them after the logout', async () => {
    const [laptop, phone] = [openBrowser(), openBrowser()]
    await laptop.add('rye')
    await phone.add('rye')
    await phone.add('baguette')
    expect(await laptop.logIn('ann', 'rye')).toContain('Hello, ann')
    expect(await laptop.cart()).toEqual({ rye: 1 })
    await phone.logIn('ann', 'rye')
    for (const browser of [laptop, phone]) expect(await browser.cart()).toEqual({ rye: 2, baguette: 1 })
    expect((await phone.request('/')).match(/Firefox, since/g)).toHaveLength(2)
    expect(await phone.request('/logout', {})).toContain('Nobody is logged in')
    expect(await phone.cart()).toEqual({})
    await phone.logIn('bob', 'pretzel')
    expect(await phone.cart()).toEqual({})
    expect(await laptop.cart()).toEqual({ rye: 2, baguette: 1 })
  })

  it('lets a user log out all other browsers', async () => {
    const [laptop, phone] = [openBrowser(), openBrowser()]
    for (const browser of [laptop, phone]) {
      await browser.add('pretzel')
      await browser.logIn('bob', 'pretzel')
    }
    await laptop.request('/revoke', {})
    expect(await phone.request('/')).toContain('Nobody is logged in')
    expect(await phone.cart()).toEqual({})
    expect(await laptop.cart()).toEqual({ pretzel: 2 })
  })

  it('lets nobody in with a wrong password, or from another site', async () => {
    const browser = openBrowser()
    expect(await browser.logIn('ann', 'pretzel')).toContain('Wrong')
    const headers = { 'sec-fetch-site': 'cross-site' }
    const body = new URLSearchParams({ user: 'ann', password: 'rye' })
    expect((await fetch(`${url}/login`, { method: 'POST', headers, body })).status).toBe(403)
  })
})
