import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as cookieModule from 'cookie'
import express from 'express'
import fc from 'fast-check'
import jsCookie from 'js-cookie'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { encode } from '../../../src/core/codec/codec.ts'
import * as cookie from '../../../src/core/cookie/cookie-format.ts'
import { MAX_NAME_BYTES } from '../../../src/core/limits.ts'
import { utf8Length } from '../../../src/core/utf8.ts'
import { cookieMismatches } from '../../support/vectors.ts'

const { cookieBytes, formatContent, formatPlain, fromCookieName, parseContent, parsePlain } = cookie
const { parseSealed, parseSigned, signedPart, toCookieName } = cookie
const vectors = JSON.parse(readFileSync(new URL('../../vectors/cookie.json', import.meta.url), 'utf8'))

/** A failure prints how to replay it. */
const RUNS = { numRuns: 1_000, seed: 20_251_121 }

const seconds = fc.oneof(fc.constantFrom(0, 1, 35, 36, Number.MAX_SAFE_INTEGER), fc.maxSafeNat())
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'\'!^*%+;\\",~ .=é東🍞a') }),
  fc.jsonValue({ stringUnit: 'binary' }).map((value) => JSON.stringify({ json: value })),
)
const anyCookie = fc.record({ version: seconds, at: seconds, expires: seconds, text: anyText })
const anyName = fc
  .string({ unit: 'binary', minLength: 1 })
  .filter((name) => utf8Length(name) <= MAX_NAME_BYTES)

// Property tests share a machine with everything else; what they assert is not time.
vi.setConfig({ testTimeout: 60_000 })

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('cookies', () => {
  it('are as in the golden vectors', () => {
    expect(cookieMismatches(vectors, cookie)).toEqual([])
  })
})

describe('cookie names', () => {
  it('lead back to the bin, and only they do', () => {
    fc.assert(
      fc.property(anyName, (bin) => {
        const name = toCookieName('bb', bin)
        expect(name).toMatch(/^bb-[A-Za-z0-9_-]+$/)
        expect(fromCookieName('bb', name)).toBe(bin)
      }),
      RUNS,
    )
  })

  it('are different for different bins, and are the only spelling of their bin', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'_aAfF03-9%.é') }), (coded) => {
        const bin = fromCookieName('bb', `bb-${coded}`)
        if (bin !== undefined) expect(toCookieName('bb', bin)).toBe(`bb-${coded}`)
      }),
      RUNS,
    )
  })

  it('are never those of bins with names of no bytes or more than 64', () => {
    expect(fromCookieName('bb', toCookieName('bb', ''))).toBeUndefined()
    expect(fromCookieName('bb', toCookieName('bb', '東'.repeat(21)))).toBe('東'.repeat(21))
    expect(fromCookieName('bb', toCookieName('bb', '東'.repeat(22)))).toBeUndefined()
  })

  it('refuse half a surrogate pair', () => {
    expect(() => toCookieName('bb', '\ud800')).toThrow(URIError)
  })
})

describe('plain values', () => {
  it('are read as they were written, and in no other spelling', () => {
    fc.assert(
      fc.property(anyCookie, (written) => {
        expect(parsePlain(formatPlain(written))).toEqual(written)
      }),
      RUNS,
    )
  })

  it('are undefined with any character changed, left out or put in, or are a spelling of their own', () => {
    const edit = fc.tuple(
      fc.nat(),
      fc.nat({ max: 2 }),
      fc.string({ unit: fc.constantFrom(..."'!^*2AF~._%é"), maxLength: 2 }),
    )
    fc.assert(
      fc.property(anyCookie, edit, (written, [at, length, inserted]) => {
        const value = formatPlain(written)
        const start = at % (value.length + 1)
        const other = value.slice(0, start) + inserted + value.slice(start + length)
        const parsed = parsePlain(other)
        if (parsed) expect(formatPlain(parsed)).toBe(other)
      }),
      RUNS,
    )
  })

  it('take the shorter of the two payloads, and the readable one on a tie', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const payload = formatPlain({ version: 1, at: 0, expires: 0, text }).slice('1.1.0.0.'.length)
        const base64url = Buffer.from(text).toString('base64url')
        expect(payload.length).toBeLessThanOrEqual(base64url.length + 1)
        if (payload.startsWith('~')) expect(payload).toBe(`~${base64url}`)
        else expect(payload).toMatch(/^'[!#-$&-*\-.-:<-[\]-~]*$/)
      }),
      RUNS,
    )
  })

  it('are 1.0 times their JSON for typical data', () => {
    const text = encode({ city: 'Melbourne', lat: -37.8136, tz: 'Australia/Melbourne', favs: ['Hobart'] })
    expect(formatPlain({ version: 1, at: 0, expires: 0, text })).toHaveLength(
      "1.1.0.0.'".length + text.length,
    )
  })

  it('refuse numbers that are not whole, negative or beyond 2^53', () => {
    for (const at of [-1, 1.5, Number.NaN, Infinity, 2 ** 53]) {
      expect(() => formatPlain({ version: 1, at, expires: 0, text: '' })).toThrow(TypeError)
    }
  })

  it('of a megabyte are read and written', () => {
    for (const text of ['a'.repeat(1e6), '東'.repeat(3e5), '*'.repeat(1e6)]) {
      const written = { version: 1, at: 0, expires: 0, text }
      expect(parsePlain(formatPlain(written))?.text === text).toBe(true)
    }
    expect(parsePlain(`1.1.0.0.'${'*E6'.repeat(3e5)}`)).toBeUndefined()
    expect(parsePlain(`1.${'1'.repeat(1e6)}.0.0.'`)).toBeUndefined()
    expect(parsePlain('1.'.repeat(5e5))).toBeUndefined()
  })

  it('with half a surrogate pair are undefined, and cannot be written', () => {
    for (const half of ['\ud800', '\udc00', 'a\ud800*C3']) {
      expect(parsePlain(`1.1.0.0.'${half}`)).toBeUndefined()
      expect(parsePlain(`1.1.0.0.~${half}`)).toBeUndefined()
      expect(parsePlain(`1.${half}.0.0.'a`)).toBeUndefined()
      expect(() => formatPlain({ version: 1, at: 0, expires: 0, text: half })).toThrow(URIError)
    }
  })
})

describe('signed and sealed values', () => {
  it('are taken apart as they were put together', () => {
    fc.assert(
      fc.property(anyCookie, (written) => {
        const part = signedPart(written)
        const mac = `${'a-_Z'.repeat(10)}zzA`
        expect(parseSigned(`${part}.${mac}`)).toEqual({ cookie: written, part, mac })
        expect(parseContent(formatContent(written))).toEqual(written)
      }),
      RUNS,
    )
  })

  it('are undefined for whatever is something else', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."1se.'~aA") }), (value) => {
        const kinds = [parsePlain(value), parseSigned(value), parseSealed(value)]
        expect(kinds.filter(Boolean).length).toBeLessThanOrEqual(1)
      }),
      RUNS,
    )
  })
})

describe('cookieBytes', () => {
  it('counts the UTF-8 bytes of name and value', () => {
    fc.assert(
      fc.property(anyText, anyText, (name, value) => {
        expect(cookieBytes(name, value)).toBe(Buffer.byteLength(name) + Buffer.byteLength(value))
      }),
      RUNS,
    )
  })
})

describe('names and values pass unchanged', () => {
  const pairs: Array<[string, string]> = [
    ...vectors.names.map(({ name }: { name: string }, index: number) => [name, valueAt(index)]),
    ...vectors.signed.map(toPair),
    ...vectors.sealed.map(toPair),
  ]
  const header = pairs.map(([name, value]) => `${name}=${value}`).join('; ')

  /** The vectors have several values for one name. */
  function toPair({ name, value }: { name: string; value: string }, index: number): [string, string] {
    return [`${value.slice(0, 2)}-${name}-${index}`, value]
  }

  function valueAt(index: number): string {
    return vectors.plain[index % vectors.plain.length].value
  }

  it('through decodeURIComponent and URL decoding', () => {
    for (const [name, value] of pairs) {
      expect([decodeURIComponent(name), decodeURIComponent(value)]).toEqual([name, value])
      expect(new URLSearchParams(`${name}=${value}`).get(name)).toBe(value)
    }
  })

  it('through js-cookie, with and without its converter', () => {
    const jar = { cookie: '' }
    vi.stubGlobal('document', jar)
    const plain = jsCookie.withConverter({ read: (value) => value, write: (value) => value })
    for (const [name, value] of pairs) {
      expect(plain.set(name, value)?.split('; ')[0]).toBe(`${name}=${value}`)
    }
    jar.cookie = header
    for (const reader of [jsCookie, plain]) {
      for (const [name, value] of pairs) expect(reader.get(name)).toBe(value)
    }
  })

  it('through the cookie package', () => {
    expect(cookieModule.parseCookie(header)).toEqual(Object.fromEntries(pairs))
    for (const [name, value] of pairs) {
      const written = cookieModule.stringifySetCookie(name, value, { encode: (text) => text })
      expect(written).toBe(`${name}=${value}`)
    }
  })

  it('through cookie-parser, which takes j: for JSON and s: for its signatures', () => {
    for (const [, value] of pairs) expect(value).toMatch(/^1[se]?\./)
  })

  it('through node:http and express', async () => {
    const app = express()
    app.get('/', (request, response) => {
      for (const [name, value] of pairs) response.append('Set-Cookie', `${name}=${value}`)
      response.json(cookieModule.parseCookie(request.headers.cookie ?? ''))
    })
    app.get('/cookie', (_, response) => {
      for (const [name, value] of pairs) response.cookie(name, value, { encode: (text) => text })
      response.end()
    })
    const server = createServer(app).listen(0)
    try {
      // A server that listens on a port has an address of this shape.
      const { port } = server.address() as AddressInfo
      const echo = await fetch(`http://localhost:${port}/`, { headers: { cookie: header } })
      expect(await echo.json()).toEqual(Object.fromEntries(pairs))
      expect(echo.headers.getSetCookie()).toEqual(pairs.map(([name, value]) => `${name}=${value}`))
      const own = await fetch(`http://localhost:${port}/cookie`)
      expect(own.headers.getSetCookie()).toEqual(pairs.map(([name, value]) => `${name}=${value}; Path=/`))
    } finally {
      server.close()
    }
  })
})
