import { describe, expect, it } from 'vitest'
import { openRandom } from '../../src/server/random.ts'

describe('random bytes', () => {
  it('are as many as were asked for, and never the same', () => {
    const random = openRandom()
    const sizes = [16, 4_096, 5_000, 16, ...Array.from({ length: 2_000 }, () => 16)]
    const taken = sizes.map((size) => random(size))
    expect(taken.map(({ length }) => length)).toEqual(sizes)
    expect(new Set(taken.map((bytes) => bytes.toString('hex'))).size).toBe(sizes.length)
  })

  it('stay what they are', () => {
    const random = openRandom()
    const first = random(16)
    const before = first.toString('hex')
    for (let count = 0; count < 1_000; count += 1) random(16)
    expect(first.toString('hex')).toBe(before)
    expect(first.some((byte) => byte !== 0)).toBe(true)
  })
})
