import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { escapeText, unescapeText } from '../../../src/stores/postgres/text.ts'

describe('the texts of a postgresStore', () => {
  const texts = fc.string({ unit: fc.constantFrom('\0', '\x01', '\x02', '0', '1', 'a', '€', '😀') })

  it('come back as they were, and have no U+0000 meanwhile', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(escapeText(text)).not.toContain('\0')
        expect(unescapeText(escapeText(text))).toBe(text)
      }),
    )
  })

  it('stay as they are if they are JSON', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (text) => {
        expect(escapeText(text)).toBe(text)
      }),
    )
  })
})
