import { describe, expect, it } from 'vitest'
import { followSlot, formatSlot, nonceOf, parseSlot, type Slot } from '../../../src/stores/file/slot.ts'

const ENTRY = { key: 'a\n"b', version: 7, expires: 2_000_000_000_000, text: 'line\nline' }
const FILE =
  '{"key":"a\\n\\"b","version":7,"expires":2000000000000,"generation":2,"nonces":"aaaaaaaabbbbbbbb"}\nline\nline'
const SLOT: Slot = { ...ENTRY, generation: 2, nonces: 'aaaaaaaabbbbbbbb' }

describe('a slot file', () => {
  it('is written as it was in version 0.1', () => {
    expect(formatSlot(SLOT)).toBe(FILE)
  })

  it('is read as it was in version 0.1', () => {
    expect(parseSlot(FILE)).toEqual(SLOT)
  })

  it('keeps what never expires', () => {
    expect(parseSlot(formatSlot({ ...SLOT, expires: Infinity })).expires).toBe(Infinity)
  })

  it('is nothing else', () => {
    for (const content of ['', '\n', 'null\n', '{}\n', '[]\ntext', FILE.slice(0, 40), FILE.slice(1)]) {
      expect(() => parseSlot(content)).toThrow(SyntaxError)
    }
  })
})

describe('the nonces of a slot', () => {
  it('tell who made each of the last 64 generations', () => {
    let slot = followSlot(undefined, ENTRY, nonce(1))
    for (let generation = 2; generation <= 100; generation += 1)
      slot = followSlot(slot, ENTRY, nonce(generation))
    expect(slot.generation).toBe(100)
    expect(nonceOf(slot, 100)).toBe(nonce(100))
    expect(nonceOf(slot, 37)).toBe(nonce(37))
    expect(nonceOf(slot, 36)).toBeUndefined()
    expect(nonceOf(slot, 101)).toBeUndefined()
  })

  it('reach back to the first generation', () => {
    const first = followSlot(undefined, ENTRY, nonce(1))
    const second = followSlot(first, ENTRY, nonce(2))
    expect([0, 1, 2, 3].map((generation) => nonceOf(second, generation))).toEqual([
      undefined,
      nonce(1),
      nonce(2),
      undefined,
    ])
  })
})

function nonce(generation: number): string {
  return String(generation).padStart(8, '0')
}
