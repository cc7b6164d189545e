import { describe, expect, it } from 'vitest'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { forwardedOrigin } from '../../../src/server/http/forwarded.ts'
import { toNodeHandler } from '../../../src/server/http/node-handler.ts'
import type { TrustProxy } from '../../../src/server/http/request-head.ts'
import type { ServerOptions } from '../../../src/server/options.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { needs } from '../../support/needs.ts'
import { startNginx } from '../../support/servers/nginx.ts'
import { listen, send } from '../../support/sites/express.ts'

function originOf(headers: Record<string, string>, hops: number): string {
  return forwardedOrigin((name) => headers[name], hops, new URL('http://10.0.0.5:3000/page'))
}

const SHOP = 'https://shop.example'
const OWN = 'http://10.0.0.5:3000'

describe('what proxies say', () => {
  it.each<[string, Record<string, string>, number, string]>([
    ['nothing', {}, 1, OWN],
    ['scheme and host', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' }, 1, SHOP],
    ['the scheme alone', { 'x-forwarded-proto': 'https' }, 1, 'https://10.0.0.5:3000'],
    ['the host alone', { 'x-forwarded-host': 'shop.example:8080' }, 1, 'http://shop.example:8080'],
    ['Forwarded', { forwarded: 'for=1.2.3.4;host=shop.example;proto=https' }, 1, SHOP],
    ['Forwarded in quotes', { forwarded: 'For="[::1]:1";Host="shop.example";Proto="HTTPS"' }, 1, SHOP],
    [
      'commas and semicolons in quotes',
      { forwarded: 'for="a,b;proto=http";proto=https;host=shop.example' },
      1,
      SHOP,
    ],
    ['an IPv6 host', { forwarded: 'proto=https;host="[2001:db8::1]:443"' }, 1, 'https://[2001:db8::1]:443'],
    ['the same twice', { forwarded: 'proto=https;host=shop.example', 'x-forwarded-proto': 'https' }, 1, SHOP],
    [
      'what a client made up, further left',
      { 'x-forwarded-proto': 'http, https' },
      1,
      'https://10.0.0.5:3000',
    ],
    ['through two', { 'x-forwarded-host': 'evil.example, shop.example, edge' }, 2, 'http://shop.example'],
    ['through two that replace', { 'x-forwarded-host': 'shop.example' }, 2, 'http://shop.example'],
    ['elements of Forwarded', { forwarded: 'host=evil.example, host=shop.example;proto=https' }, 1, SHOP],
    ['two kinds that differ in scheme', { forwarded: 'proto=http', 'x-forwarded-proto': 'https' }, 1, OWN],
    [
      'two kinds that differ in host',
      { forwarded: 'host=evil.example', 'x-forwarded-host': 'shop.example' },
      1,
      OWN,
    ],
    ['another scheme', { 'x-forwarded-proto': 'javascript' }, 1, OWN],
    ['a host with a path', { 'x-forwarded-host': 'shop.example/path' }, 1, OWN],
    ['a host with a user', { 'x-forwarded-host': 'shop.example@evil.example' }, 1, OWN],
    ['a host with an end of line', { 'x-forwarded-host': 'shop.example\r\nx: y' }, 1, OWN],
    ['an obfuscated host', { forwarded: 'host=unknown host' }, 1, OWN],
    ['quotes that do not end', { forwarded: 'host="shop.example' }, 1, 'http://shop.example'],
    ['empty elements', { 'x-forwarded-proto': ',,' }, 1, OWN],
  ])('is read: %s', (_, headers, hops, expected) => {
    expect(originOf(headers, hops)).toBe(expected)
  })

  it('is read within bounded time', () => {
    for (const mark of ['"', ',', ';', '=', 'host=a;', 'proto="']) {
      expect(originOf({ forwarded: mark.repeat(20_000) }, 1)).toMatch(/^https?:/)
    }
  })
})

describe('trustProxy', () => {
  const nginx = needs('nginx')
  const bins = defineBins({ theme: { storage: 'cookie' }, cart: { browser: 'none' } })

  /** What the visitor cookie is called, and how the endpoint answers a page of the shop, over HTTP. */
  async function behind(
    options: ServerOptions,
    headers: Record<string, string>,
    through?: (url: string) => Promise<{ port: number; stop(): Promise<void> }>,
  ) {
    const server = serveBins(bins, { store: memoryStore(), ...options })
    const listening = await listen(
      toNodeHandler(async (request) => {
        if (request.method === 'POST') return server.fetch(request)
        return server.handle(request, (state) => {
          state.set('cart', [])
          return new Response('hello')
        })
      }),
    )
    const proxy = await through?.(listening.url)
    const target = { ...listening, ...(proxy ? { port: proxy.port } : {}) }
    const page = await send(target, { headers })
    const [cookie = ''] = page?.headers['set-cookie'] ?? []
    const sync = await send(target, {
      method: 'POST',
      path: '/bins/sync',
      headers: { ...headers, origin: SHOP, 'content-type': 'application/json' },
      body: '{}',
    })
    await proxy?.stop()
    await listening.close()
    // 400: it is a request of the shop, and no sync.
    return [cookie.slice(0, cookie.indexOf('=')), sync?.status]
  }

  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' }

  it.each<[string, TrustProxy | undefined, unknown]>([
    ['is nobody by default', undefined, ['bb', 403]],
    ['is nobody for 0', 0, ['bb', 403]],
    ['is the last proxy for 1', 1, ['__Host-bb', 400]],
    ['is the proxy of a request that the application knows', () => true, ['__Host-bb', 400]],
    ['is nobody for other requests', () => false, ['bb', 403]],
  ])('%s', async (_, trustProxy, expected) => {
    expect(await behind(trustProxy === undefined ? {} : { trustProxy }, forwarded)).toEqual(expected)
  })

  it('asks about the request itself', async () => {
    const trustProxy: TrustProxy = ({ headers }) => new Headers(headers as never).get('via') === 'our proxy'
    expect(await behind({ trustProxy }, { ...forwarded, via: 'our proxy' })).toEqual(['__Host-bb', 400])
    expect(await behind({ trustProxy }, { ...forwarded, via: 'another' })).toEqual(['bb', 403])
  })

  if (nginx) {
    it.each<[string, Record<string, string>, unknown]>([
      ['what it says', {}, ['__Host-bb', 400]],
      [
        'what it says, and not what the client does',
        { 'x-forwarded-proto': 'http', 'x-forwarded-host': 'evil.example' },
        ['__Host-bb', 400],
      ],
      ['nobody where the client contradicts it', { forwarded: 'proto=http;host=evil.example' }, ['bb', 403]],
    ])('believes, behind a real nginx, %s', async (_, headers, expected) => {
      const settings =
        'proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-Host shop.example;'
      const through = async (url: string) => {
        const proxy = await startNginx(nginx, url, settings)
        return { ...proxy, port: Number(new URL(proxy.url).port) }
      }
      expect(await behind({ trustProxy: 1 }, headers, through)).toEqual(expected)
    })
  }

  it('refuses what it cannot be', () => {
    for (const trustProxy of [-1, 1.5, Number.NaN, 'loopback', true]) {
      // Callers without types pass what express takes.
      expect(() => serveBins(bins, { trustProxy: trustProxy as number })).toThrow(/^trustProxy: pass/)
    }
    expect(() => serveBins(bins, { trustProxy: 1, origin: SHOP })).toThrow(/^trustProxy: origin/)
  })
})
