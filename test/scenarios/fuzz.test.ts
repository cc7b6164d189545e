import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { BinsError } from '../../src/core/error.ts'
import { MAX_SYNC_BYTES } from '../../src/core/limits.ts'
import { HOSTILE } from '../support/hostile.ts'
import { isLong } from '../support/long.ts'
import { ORIGIN, openCookieJar, requestWith, take } from '../support/sites/http.ts'
import { openSite } from '../support/sites/requests.ts'
import { coded } from '../support/wire.ts'

/** Inputs of each kind: 10⁶ in the long tests. */
const RUNS = isLong ? 1_000_000 : 10_000
const LONG_MS = 3_600_000

const bins = defineBins({
  plain: { storage: 'cookie' },
  typed: { schema: z.object({ size: z.enum(['S', 'L']) }), storage: 'cookie' },
  signed: { storage: 'cookie', browser: 'read' },
  sealed: { storage: 'cookie', browser: 'none' },
  bound: { storage: 'cookie', browser: 'read', bind: 'visitor' },
  cart: { schema: z.array(z.string()), default: [], browser: 'write' },
})

/** A site, somebody who has all bins there, and what that browser sends. */
async function openVictim() {
  const site = openSite(bins, { trustProxy: 1, origins: ['https://app.example'] })
  const jar = openCookieJar(site.clock)
  const state = await site.server.open(requestWith(jar))
  state.set('cart', ['apple'])
  take(jar, await state.save(new Headers()))
  const later = await site.server.open(requestWith(jar))
  later.set('plain', { a: [1, 'x'], b: new Date(0) })
  later.set('typed', { size: 'L' })
  later.set('signed', new Map([['a', 1]]))
  later.set('sealed', 'text')
  later.set('bound', true)
  take(jar, await later.save(new Headers()))
  return { ...site, jar, cookies: jar.header() }
}

/** Text that is nearly what is expected: pieces of the real one are cut, doubled, exchanged and overwritten. */
function near(text: string): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom(...HOSTILE),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom('.', ';', '=', '~', "'", '*', '{', '"', ',', '1e999', '-1', 'null', 'zzzzzzzz', '%'),
    fc.tuple(fc.nat(text.length), fc.nat(40)).map(([from, length]) => text.slice(from, from + length)),
  )
  const change = fc.tuple(fc.nat(text.length), fc.nat(12), piece)
  return fc
    .array(change, { minLength: 1, maxLength: 4 })
    .map((changes) =>
      changes.reduce((left, [at, length, put]) => left.slice(0, at) + put + left.slice(at + length), text),
    )
}

/** What a response sets, in cookies or in what stands for them. */
function linesOf(headers: Headers): string[] {
  return [...headers.getSetCookie(), ...(headers.get('breadbin-set-cookie')?.split(', ') ?? [])]
}

/** What a header can hold, as HTTP parsers let it through. */
const asHeader = (text: string) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?').trim()

async function check<Value>(
  values: fc.Arbitrary<Value>,
  run: (value: Value) => Promise<void>,
): Promise<void> {
  await fc.assert(fc.asyncProperty(values, run), { numRuns: RUNS, seed: 1, endOnFailure: true })
  expect(Object.keys(Object.prototype)).toEqual([])
}

describe('whatever is sent', () => {
  describe.each(['cookie', 'breadbin-cookie'])('in the header %s', (header) => {
    it(
      'as cookies: every bin can be read and set, and nobody becomes somebody else',
      async () => {
        const { server, cookies } = await openVictim()
        const token = /__Host-bb=([^;]*)/.exec(cookies)?.[1] ?? ''
        await check(near(cookies), async (text) => {
          const cookie = asHeader(text)
          const state = await server.open(new Request(ORIGIN, { headers: { [header]: cookie } }))
          for (const name of state.names()) state.get(name as 'plain')
          // Who does not present the very token is not the visitor.
          if (!cookie.includes(token))
            expect([state.visitor, state.get('bound')]).toEqual([undefined, undefined])
          try {
            state.set('plain', 1)
            state.set('signed', 1)
          } catch (error) {
            expect(error).toBeInstanceOf(BinsError)
          }
          const lines = linesOf(await state.save(new Headers()))
          expect(lines.filter((line) => !/^bb-(plain|signed)=[!-:<-~]+; Max-Age/.test(line))).toEqual([])
        })
      },
      LONG_MS,
    )
  })

  it(
    'as headers: a page is answered, with headers of ours alone',
    async () => {
      const { server, cookies } = await openVictim()
      const names = ['origin', 'host', 'sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', 'sec-purpose']
      const forwarded = ['forwarded', 'x-forwarded-host', 'x-forwarded-proto']
      const real =
        'for=1.2.3.4;proto=https;host="example.org", https, navigate, cross-site, https://example.org'
      const headers = fc.dictionary(fc.constantFrom(...names, ...forwarded), near(real), { maxKeys: 5 })
      const method = fc.constantFrom('GET', 'POST', 'HEAD', 'PUT')
      await check(fc.tuple(headers, method, fc.boolean()), async ([found, verb, isKnown]) => {
        const safe = Object.entries(found).map(([name, value]) => [name, asHeader(value)])
        const all = { ...Object.fromEntries(safe), ...(isKnown ? { cookie: cookies } : {}) }
        const state = await server.open(new Request(ORIGIN, { method: verb, headers: all }))
        state.set('plain', 1)
        state.set('cart', ['pear'])
        const saved = await state.save(new Response('ok')).catch((error: unknown) => {
          expect(error).toMatchObject({ name: 'BinsError', code: 'NO_VISITOR' })
          return new Response('no visitor')
        })
        const set = saved.headers.getSetCookie().map((line) => line.slice(0, line.indexOf('=')))
        expect(set.filter((name) => !['bb-plain', '__Host-bb', 'bb.o', 'bb'].includes(name))).toEqual([])
        expect([...saved.headers.keys()].filter((name) => !OWN_HEADERS.includes(name))).toEqual([])
      })
    },
    LONG_MS,
  )

  it(
    'as a sync: it is answered, within bounds, and as JSON',
    async () => {
      const { server, cookies, store, clock } = await openVictim()
      const tag = /bb\.o=([^;]*)/.exec(cookies)?.[1] ?? null
      const op = { n: 5, bin: 'cart', base: null, age: 0.5, sv: 1 }
      const part = { owner: 'visitor', store: 'default', tag, cursor: 'a.1.b' }
      const bodyOf = (text: string) => {
        const ops = [
          { ...op, text },
          { ...op, n: 6, bin: 'other', gone: true },
        ]
        return JSON.stringify({ v: 1, client: 'client', parts: [{ ...part, ops }] })
      }
      const milk = '{"json":["milk",null],"meta":{"values":{"1":["undefined"]},"v":1}}'
      const body = fc.oneof(
        near(bodyOf(coded(milk))),
        near(milk).map((text) => bodyOf(coded(text))),
        near(coded(milk)).map(bodyOf),
      )
      const [, token] = /__Host-bb=([^;]*)/.exec(cookies) ?? []
      const link = JSON.stringify({ v: 1, token, merge: true })
      const path = fc.constantFrom('/bins/sync', '/bins/sync', '/bins/link', '/bins/events', '/bins/')
      await check(fc.tuple(body, near(link), path), async ([sync, use, where]) => {
        const text = where.includes('link') ? use : sync
        const isEvents = where.includes('events')
        const request = new Request(
          new URL(isEvents ? `${where}?${new URLSearchParams({ known: text })}` : where, ORIGIN),
          {
            method: isEvents ? 'GET' : 'POST',
            headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', cookie: cookies },
            ...(isEvents ? {} : { body: text }),
          },
        )
        const response = await server.fetch(request)
        expect(STATUSES).toContain(response.status)
        if (response.headers.get('content-type') !== 'application/json')
          return void (await response.body?.cancel())
        const answer = await response.text()
        expect(answer.length).toBeLessThan(2 * MAX_SYNC_BYTES)
        expect(JSON.parse(answer)).toBeTypeOf('object')
        clock.advance(1)
      })
      await server.close()
      expect(store.calls.length).toBeLessThan(10 * RUNS)
    },
    LONG_MS,
  )
})

const OWN_HEADERS = ['set-cookie', 'cache-control', 'vary', 'content-type']

/** 503 is not among them: nothing that is sent may look like a failure of the server. */
const STATUSES = [200, 204, 400, 404, 409, 413]
