import { statSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Demo, startDemo } from './start-demo.ts'

describe('the demo without a browser', () => {
  let demo: Demo

  beforeAll(async () => {
    demo = await startDemo()
  })

  afterAll(() => demo.dispose())

  function post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
    return fetch(`${demo.url}${path}`, {
      method: 'POST',
      body: new URLSearchParams(fields),
      redirect: 'manual',
      headers,
    })
  }

  /** `fetch` takes `..` out of a path before it is sent. */
  function statusOf(path: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(demo.url)
      request({ hostname, port, path }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
  }

  /** Posts forms one after the other, as one person, and returns the cookies in the end. */
  async function postAll(...forms: Array<[path: string, fields: Record<string, string>]>): Promise<string> {
    const cookies = new Map<string, string>()
    const header = () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    for (const [path, fields] of forms) {
      const response = await post(path, fields, { cookie: header() })
      expect(response.status).toBe(303)
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        cookies.set(name, value)
      }
    }
    return header()
  }

  it('makes nobody a visitor who only reads', async () => {
    const response = await fetch(demo.url)

    expect(response.status).toBe(200)
    expect(response.headers.getSetCookie()).toEqual([])
    expect(await response.text()).toContain('Welcome to the Breadbin')
  })

  it('allows no scripts and styles but its own files', async () => {
    const policy = (await fetch(demo.url)).headers.get('content-security-policy')

    expect(policy).toContain("default-src 'none'")
    expect(policy).toMatch(/script-src 'self' 'sha256-[\w+/=]{44}';/)
    expect(policy).not.toContain('unsafe')
  })

  it('answers a form with what it changed', async () => {
    const rye = { bread: 'rye' }
    const cookie = await postAll(
      ['/cart/add', rye],
      ['/cart/add', rye],
      ['/cart/remove', rye],
      ['/cart/add', rye],
      ['/region', { region: 'pl-PL' }],
    )

    const page = await (await fetch(demo.url, { headers: { cookie } })).text()
    expect(page).toContain('<output data-pieces="rye">2</output>')
    expect(page).toContain('Witamy w chlebaku')
    expect(page.replaceAll('\u00a0', ' ')).toContain('<output id="total">52,00 zł</output>')
  })

  it.each([
    ['/theme', { theme: 'pink' }],
    ['/region', { region: '__proto__' }],
    ['/region', {}],
    ['/cart/add', { bread: 'cake' }],
    ['/cart/add', { bread: 'toString' }],
    ['/cart/add', {}],
  ])('refuses what the schema refuses: %s %o', async (path, fields) => {
    const response = await post(path, fields)

    expect(response.status).toBe(400)
    expect(response.headers.getSetCookie()).toEqual([])
  })

  it('refuses the forms of other sites', async () => {
    const response = await post('/theme', { theme: 'dark' }, { 'sec-fetch-site': 'cross-site' })

    expect(response.status).toBe(403)
    expect(response.headers.getSetCookie()).toEqual([])
  })

  it('keeps its secret to itself', () => {
    expect(statSync(join(demo.data, 'secret')).mode & 0o777).toBe(0o600)
  })

  it.each([
    '/examples/demo/server.mjs',
    '/examples/demo/secret.mjs',
    '/examples/demo/page/../server.mjs',
    '/examples/demo/page/%2e%2e/server.mjs',
    '/examples/demo/page/..%2fserver.mjs',
    '/examples/demo/page/nothing.mjs',
    '/examples/demo/page/',
    '//example.org/examples/demo/page/main.mjs',
    '/package.json',
    '/%',
  ])('serves no other file than those of the page: %s', async (path) => {
    expect(await statusOf('/examples/demo/page/main.mjs')).toBe(200)
    expect(await statusOf(path)).toBe(404)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'stops at %s and starts again with the same data',
    async (signal) => {
      const cookie = await postAll(['/cart/add', { bread: 'rye' }], ['/plan', {}])

      expect(await demo.stop(signal)).toBe(0)
      await demo.start()

      const response = await fetch(`${demo.url}/server-reads`, { headers: { cookie } })
      expect(await response.json()).toMatchObject({ read: { cart: { rye: 1 }, plan: 'plus' }, events: [] })
      expect(demo.output.errors).toBe('')
    },
  )
})
