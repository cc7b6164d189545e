import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type AnyRequest, isCrossSite, isOwnPage, readHead } from '../../../src/server/http/request-head.ts'

/** A request of node:http. */
function incoming(
  headers: Record<string, string>,
  { method = 'GET', encrypted = false } = {},
): IncomingMessage {
  const socket = new Socket()
  if (encrypted) Object.assign(socket, { encrypted })
  return Object.assign(new IncomingMessage(socket), { method, headers })
}

describe('readHead', () => {
  it.each<[string, AnyRequest, string | undefined, boolean]>([
    ['https', new Request('https://example.org/'), undefined, true],
    ['http of a site', new Request('http://example.org/'), undefined, true],
    ['http of localhost', new Request('http://localhost:3000/'), undefined, false],
    ['http of 127.0.0.1', new Request('http://127.0.0.1/'), undefined, false],
    ['http of ::1', new Request('http://[::1]:8080/'), undefined, false],
    ['https of localhost', new Request('https://localhost/'), undefined, true],
    ['a site whose name begins alike', new Request('http://localhost.example.org/'), undefined, true],
    ['a Host', incoming({ host: 'example.org' }), undefined, true],
    ['a local Host', incoming({ host: 'Localhost:3000' }), undefined, false],
    ['a local Host over TLS', incoming({ host: 'localhost' }, { encrypted: true }), undefined, true],
    ['no Host', incoming({}), undefined, true],
    ['an origin that is configured', incoming({ host: 'localhost' }), 'https://example.org', true],
    ['a local origin that is configured', incoming({ host: 'example.org' }), 'http://localhost:80', false],
  ])('asks for Secure: %s', (_, request, origin, secure) => {
    expect(readHead(request, { origin }).secure).toBe(secure)
  })

  it('finds headers by their lower-case names', () => {
    for (const request of [
      new Request('https://example.org/', { headers: { 'Sec-Fetch-Site': 'none', cookie: 'a=1' } }),
      incoming({ host: 'example.org', 'sec-fetch-site': 'none', cookie: 'a=1' }),
    ]) {
      const head = readHead(request, {})
      expect([head.header('sec-fetch-site'), head.header('origin'), head.cookies]).toEqual([
        'none',
        undefined,
        'a=1',
      ])
    }
  })

  it('takes a Host that is none for nobody', () => {
    const head = (origin: string) => readHead(incoming({ host: 'a b:c', origin }), {})
    expect([isOwnPage(head('http://a b:c')), isOwnPage(head('null'))]).toEqual([false, false])
  })
})

const LINK = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

describe('isCrossSite', () => {
  it.each<[string, Record<string, string>, string, 'lax' | 'strict' | 'none', boolean]>([
    ['a browser that says nothing', {}, 'GET', 'lax', false],
    ['a page of this site', { 'sec-fetch-site': 'same-origin' }, 'POST', 'lax', false],
    ['a page of a sibling site', { 'sec-fetch-site': 'same-site' }, 'POST', 'lax', false],
    ['an address typed in', { 'sec-fetch-site': 'none' }, 'GET', 'strict', false],
    [
      'a fetch from another site',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
      'GET',
      'lax',
      true,
    ],
    ['a link from another site', LINK, 'GET', 'lax', false],
    ['a link from another site, and strict cookies', LINK, 'GET', 'strict', true],
    ['a form of another site', LINK, 'POST', 'lax', true],
    ['a frame in another site', { ...LINK, 'sec-fetch-dest': 'iframe' }, 'GET', 'lax', true],
    ['a prefetch by another site', { ...LINK, 'sec-purpose': 'prefetch' }, 'GET', 'lax', true],
    ['a link from another site, embedded', LINK, 'GET', 'none', false],
    ['a frame in another site, embedded', { ...LINK, 'sec-fetch-dest': 'iframe' }, 'GET', 'none', false],
    ['a form of another site, embedded', LINK, 'POST', 'none', true],
    ['an image in another site, embedded', { 'sec-fetch-site': 'cross-site' }, 'GET', 'none', true],
    ['an older browser posting from another site', { origin: 'https://evil.example' }, 'POST', 'lax', true],
    ['an older browser posting from here', { origin: 'https://example.org' }, 'POST', 'lax', false],
    ['an older browser posting from a file', { origin: 'null' }, 'POST', 'lax', true],
    ['an older browser reading', { origin: 'https://evil.example' }, 'GET', 'lax', false],
  ])('judges %s', (_, headers, method, sameSite, expected) => {
    const request = incoming({ host: 'example.org', ...headers }, { method, encrypted: true })
    expect(isCrossSite(readHead(request, {}), sameSite)).toBe(expected)
  })
})

describe('isOwnPage', () => {
  it.each<[string, Record<string, string>, boolean]>([
    ['a browser that says nothing', {}, false],
    ['a page of this origin', { 'sec-fetch-site': 'same-origin', origin: 'https://example.org' }, true],
    ['a sibling site', { 'sec-fetch-site': 'same-site', origin: 'https://example.org' }, false],
    ['an address typed in', { 'sec-fetch-site': 'none' }, false],
    ['an older browser here', { origin: 'https://example.org' }, true],
    ['an older browser at another port', { origin: 'https://example.org:8443' }, false],
    ['an older browser over http', { origin: 'http://example.org' }, false],
    ['an older browser elsewhere', { origin: 'https://example.org.evil.example' }, false],
    ['a file', { origin: 'null' }, false],
  ])('judges %s', (_, headers, expected) => {
    const request = incoming({ host: 'example.org', ...headers }, { method: 'POST', encrypted: true })
    expect(isOwnPage(readHead(request, {}))).toBe(expected)
    const behindProxy = incoming({ host: 'internal:3000', ...headers }, { method: 'POST' })
    expect(isOwnPage(readHead(behindProxy, { origin: 'https://example.org' }))).toBe(expected)
  })
})
