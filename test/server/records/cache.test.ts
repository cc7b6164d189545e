import { describe, expect, it } from 'vitest'
import { openMemo } from '../../../src/server/records/cache.ts'

describe('a memo', () => {
  it('finds what was set, by scope and key', () => {
    const memo = openMemo<number>(1_000)
    memo.set('a', 'x', 1, 10)
    memo.set('b', 'x', 2, 10)
    memo.set('b', 'y', 3, 10)
    expect(memo.get('a', 'x')).toBe(1)
    expect(memo.get('b', 'x')).toBe(2)
    expect(memo.get('a', 'y')).toBe(undefined)
    expect(memo.get('c', 'x')).toBe(undefined)
  })

  it('finds what was set last', () => {
    const memo = openMemo<number>(1_000)
    memo.set('a', 'x', 1, 10)
    memo.set('a', 'x', 2, 10)
    expect(memo.get('a', 'x')).toBe(2)
  })

  it('keeps what is used, and lets go of what is not', () => {
    const memo = openMemo<number>(1_000)
    memo.set('a', 'used', 1, 10)
    memo.set('a', 'unused', 2, 10)
    for (let number = 0; number < 1_000; number += 1) {
      memo.set('others', String(number), number, 10)
      memo.get('a', 'used')
    }
    expect(memo.get('a', 'used')).toBe(1)
    expect(memo.get('a', 'unused')).toBe(undefined)
  })

  it('never holds more than fits', () => {
    const memo = openMemo<number>(1_000)
    const held = () =>
      Array.from({ length: 500 }, (_, number) => number).filter(
        (number) => memo.get('a', String(number)) !== undefined,
      )
    for (let number = 0; number < 500; number += 1) memo.set('a', String(number), number, 10)
    expect(held().length).toBeLessThanOrEqual(100)
    expect(held().length).toBeGreaterThan(0)
  })

  it('counts once what is set again and again', () => {
    const memo = openMemo<number>(1_000)
    memo.set('a', 'other', 1, 10)
    for (let number = 0; number < 1_000; number += 1) memo.set('a', 'x', number, 10)
    expect(memo.get('a', 'other')).toBe(1)
  })

  it('does not take what would leave no room for anything else', () => {
    const memo = openMemo<number>(1_000)
    memo.set('a', 'other', 1, 10)
    memo.set('a', 'large', 2, 251)
    expect(memo.get('a', 'large')).toBe(undefined)
    expect(memo.get('a', 'other')).toBe(1)
  })
})
