import { describe, expect, it } from 'vitest'
import { checkWrite } from '../../../src/stores/shared/check-write.ts'

const NOW = 1_000
const good = { version: 2, text: 'text', expires: 2_000 }

describe('checkWrite', () => {
  it('accepts what a store can keep', () => {
    expect(() => checkWrite('key', good, 1, NOW)).not.toThrow()
    expect(() => checkWrite('x'.repeat(128), { ...good, text: '', expires: Infinity }, 0, NOW)).not.toThrow()
  })

  it('refuses keys that some store would cut or change', () => {
    for (const key of ['', 'x'.repeat(129), 'a\uD800']) {
      expect(() => checkWrite(key, good, 1, NOW)).toThrow(/^key:/)
    }
  })

  it('refuses versions that are not above the expected one, or no whole numbers', () => {
    for (const version of [1, 0, -1, 2.5, 2 ** 53, Number.NaN, Infinity]) {
      expect(() => checkWrite('key', { ...good, version }, 1, NOW)).toThrow(/^version:/)
    }
    for (const expected of [-1, 0.5, Number.NaN]) {
      expect(() => checkWrite('key', good, expected, NOW)).toThrow(/^expected:/)
    }
  })

  it('refuses an expiry that has passed, or is no whole number', () => {
    for (const expires of [NOW, NOW - 1, 1_000.5, Number.NaN, -Infinity]) {
      expect(() => checkWrite('key', { ...good, expires }, 1, NOW)).toThrow(/^expires:/)
    }
  })

  it('refuses a lone surrogate, and shows nothing of the text', () => {
    expect(() => checkWrite('key', { ...good, text: 'secret\uDC00' }, 1, NOW)).toThrow(/^text:(?!.*secret)/)
  })
})
