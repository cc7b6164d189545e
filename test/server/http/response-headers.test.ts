import { describe, expect, it } from 'vitest'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import { openSite } from '../../support/sites/requests.ts'

const bins = defineBins({
  plain: { storage: 'cookie' },
  signed: { storage: 'cookie', browser: 'read' },
  sealed: { storage: 'cookie', browser: 'none' },
  server: {},
  device: { storage: 'device' },
})

type State = ServerBins<typeof bins>

const SHARED = {
  'cache-control': 'public, max-age=60, s-maxage=600, must-revalidate',
  'cdn-cache-control': 'max-age=600',
  'surrogate-control': 'max-age=600',
  'vercel-cdn-cache-control': 'max-age=600',
  vary: 'Accept-Encoding',
}

/** What a response with these headers tells caches after a request has used its bins. */
async function headersAfter(
  use: (state: State) => unknown,
  headers: Record<string, string> = {},
  { known = true } = {},
): Promise<Record<string, string>> {
  const { server, openBrowser } = openSite(bins)
  const browser = openBrowser()
  if (known) {
    await browser.visit((state) => {
      for (const name of ['plain', 'signed', 'sealed', 'server'] as const) state.set(name, 1)
    })
  }
  const state = await server.open(browser.request())
  await use(state)
  const response = await state.save(new Response(null, { headers }))
  response.headers.delete('set-cookie')
  return Object.fromEntries(response.headers)
}

const PRIVATE = { 'cache-control': 'private', vary: 'Cookie' }

describe('what a response tells caches', () => {
  it.each<[string, (state: State) => unknown, Record<string, string>]>([
    ['nothing', () => {}, {}],
    ['a device bin that is read', (state) => state.get('device'), {}],
    ['whether a bin is loaded', (state) => state.loaded('server'), {}],
    ['a plain cookie that is read', (state) => state.get('plain'), { vary: 'Cookie' }],
    ['a signed cookie that is read', (state) => state.get('signed'), PRIVATE],
    ['a sealed cookie that is read', (state) => state.get('sealed'), PRIVATE],
    ['a server bin that is read', (state) => state.get('server'), PRIVATE],
    ['whether there is a plain cookie', (state) => state.has('plain'), { vary: 'Cookie' }],
    ['whether there is a server bin', (state) => state.has('server'), PRIVATE],
    ['a bin that is listened to', (state) => state.subscribe('server', () => {}), PRIVATE],
    ['the names of bins', (state) => state.names(), PRIVATE],
    ['the visitor', (state) => state.visitor, PRIVATE],
    [
      'a plain cookie that is set',
      (state) => state.set('plain', 2),
      { 'cache-control': 'private, no-cache' },
    ],
    [
      'a signed cookie that is set',
      (state) => state.set('signed', 2),
      { 'cache-control': 'private, no-store' },
    ],
    [
      'a sealed cookie that is set',
      (state) => state.set('sealed', 2),
      { 'cache-control': 'private, no-store' },
    ],
    [
      'a plain cookie that is deleted',
      (state) => state.set('plain', null),
      { 'cache-control': 'private, no-cache' },
    ],
    [
      'a plain cookie that is read and set',
      (state) => state.set('plain', state.get('plain')),
      {
        'cache-control': 'private, no-cache',
        vary: 'Cookie',
      },
    ],
    [
      'two cookies that are set',
      (state) => {
        state.set('plain', 2)
        state.set('sealed', 2)
      },
      { 'cache-control': 'private, no-store' },
    ],
    [
      'a plain cookie that is updated',
      (state) => state.update('plain', () => 2),
      {
        'cache-control': 'private, no-cache',
        vary: 'Cookie',
      },
    ],
    ['a server bin that is set', (state) => state.set('server', 2), PRIVATE],
    ['a server bin that is updated', (state) => state.update('server', () => 2), PRIVATE],
  ])('by %s', async (_, use, expected) => {
    expect(await headersAfter(use)).toEqual(expected)
  })

  it.each<[string, (state: State) => unknown]>([
    ['a server bin', (state) => state.set('server', 2)],
    ['an update of a server bin', (state) => state.update('server', () => 2)],
  ])('by %s that makes a visitor', async (_, use) => {
    const headers = await headersAfter(use, SHARED, { known: false })
    expect(headers).toEqual({ 'cache-control': 'private, no-store', vary: 'Accept-Encoding, Cookie' })
  })

  it('by the default of a bin that nobody has: the next one may have it', async () => {
    expect(await headersAfter((state) => state.get('server'), {}, { known: false })).toEqual(PRIVATE)
    expect(await headersAfter((state) => state.get('plain'), {}, { known: false })).toEqual({
      vary: 'Cookie',
    })
  })

  it('by nothing leaves the headers of the application', async () => {
    expect(await headersAfter(() => {}, SHARED)).toEqual(SHARED)
  })

  it('by a plain read leaves the headers of the application, but for Vary', async () => {
    expect(await headersAfter((state) => state.get('plain'), SHARED)).toEqual({
      ...SHARED,
      vary: 'Accept-Encoding, Cookie',
    })
  })

  it.each(['signed', 'sealed', 'server'] as const)(
    'by reading a %s bin takes the page from shared caches',
    async (name) => {
      expect(await headersAfter((state) => state.get(name), SHARED)).toEqual({
        'cache-control': 'private, max-age=60, must-revalidate',
        vary: 'Accept-Encoding, Cookie',
      })
    },
  )

  it.each([
    ['plain', 'private, no-cache'],
    ['signed', 'private, no-store'],
  ] as const)('by setting a %s bin takes the page from all caches', async (name, expected) => {
    expect(await headersAfter((state) => state.set(name, 2), SHARED)).toEqual({
      'cache-control': expected,
      vary: 'Accept-Encoding',
    })
  })

  it.each([
    ['no-store', 'private, no-store'],
    ['public, no-store', 'private, no-store'],
    ['PUBLIC, S-MaxAge=5, Max-Age=5', 'private, Max-Age=5'],
    ['private="set-cookie, x-a", max-age=5', 'private, max-age=5'],
    ['no-cache="set-cookie, x-a", public', 'private, no-cache="set-cookie, x-a"'],
    ['private, max-age=5', 'private, max-age=5'],
    ['', 'private'],
    [',,', 'private'],
  ])('makes %j private: %j', async (before, after) => {
    const headers = await headersAfter((state) => state.get('server'), { 'cache-control': before })
    expect(headers['cache-control']).toBe(after)
  })

  it('keeps the no-store of the application where a plain cookie is set', async () => {
    const headers = await headersAfter((state) => state.set('plain', 2), { 'cache-control': 'no-store' })
    expect(headers['cache-control']).toBe('private, no-store')
  })

  it.each([
    ['*', '*'],
    ['Cookie', 'Cookie'],
    ['accept, COOKIE', 'accept, COOKIE'],
    ['Accept', 'Accept, Cookie'],
    ['Accept, Cookie2', 'Accept, Cookie2, Cookie'],
  ])('adds to Vary: %s', async (before, after) => {
    expect((await headersAfter((state) => state.get('plain'), { vary: before })).vary).toBe(after)
  })
})
