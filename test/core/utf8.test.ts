import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8Length } from '../../src/core/utf8.ts'

describe('the length of a string in UTF-8', () => {
  it('counts each character as what it takes', () => {
    for (const [text, bytes] of [
      ['', 0],
      ['a\u007f', 2],
      ['\u0080\u07ff', 4],
      ['\u0800\ud7ff\ue000\uffff', 12],
      ['\u{10000}\u{10ffff}', 8],
    ] as const) {
      expect(utf8Length(text)).toBe(bytes)
    }
  })

  it('is that of the bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => utf8Length(text) === Buffer.from(text).length),
      { numRuns: 1_000, seed: 20_251_121 },
    )
  })
})
