import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromBase64url, parseBase64url, toBase64url } from '../../src/core/base64url.ts'

/** A failure prints how to replay it. */
const RUNS = { numRuns: 2_000, seed: 20_251_121 }

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'aé東🍞\ufeff') }),
)

describe('toBase64url', () => {
  it('writes the UTF-8 bytes of any text in base64url', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(toBase64url(text)).toBe(Buffer.from(text).toString('base64url'))
      }),
      RUNS,
    )
  })

  it('takes 4/3 of the bytes, however many there are', () => {
    for (const bytes of [0, 1, 2, 3, 65_537, 1e6]) {
      expect(toBase64url('a'.repeat(bytes))).toHaveLength(Math.ceil((bytes * 4) / 3))
    }
  })
})

describe('fromBase64url', () => {
  it('reads what toBase64url writes', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(fromBase64url(toBase64url(text))).toBe(text)
      }),
      RUNS,
    )
    const long = 'é'.repeat(5e5)
    expect(fromBase64url(toBase64url(long)) === long).toBe(true)
  })
})

describe('parseBase64url', () => {
  it('reads what toBase64url writes', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(parseBase64url(toBase64url(text))).toBe(text)
      }),
      RUNS,
    )
  })

  it.each([
    ['padding', 'YQ=='],
    ['characters of base64', '-_-+'],
    ['a slash', '_w/w'],
    ['a space', 'YW Jj'],
    ['a line feed at the end', 'YWJj\n'],
    ['a character beyond ASCII', 'YWJé'],
    ['one character too many', 'YWJjY'],
    ['bits behind one byte', 'YR'],
    ['bits behind two bytes', 'YWJ'],
    ['a byte that begins nothing', Buffer.from([0xff]).toString('base64url')],
    ['half of a character', Buffer.from('é').subarray(0, 1).toString('base64url')],
    ['half a surrogate pair', Buffer.from([0xed, 0xa0, 0x80]).toString('base64url')],
    ['a byte in two', Buffer.from([0xc1, 0xa1]).toString('base64url')],
  ])('refuses %s', (_, coded) => {
    expect(parseBase64url(coded)).toBeUndefined()
  })

  it('knows one spelling of each text', () => {
    const near = fc
      .tuple(anyText, fc.nat(), fc.nat({ max: 2 }), fc.string({ unit: fc.constantFrom(...'AQgwZ-_=+/ é') }))
      .map(([text, at, length, put]) => {
        const coded = toBase64url(text)
        const start = at % (coded.length + 1)
        return coded.slice(0, start) + put + coded.slice(start + length)
      })
    fc.assert(
      fc.property(near, (coded) => {
        const text = parseBase64url(coded)
        if (text !== undefined) expect(toBase64url(text)).toBe(coded)
      }),
      RUNS,
    )
  })
})
