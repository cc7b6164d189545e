import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode, encodeCopy } from '../../../src/core/codec/codec.ts'
import { freeze } from '../../../src/core/codec/freeze.ts'
import { isSame } from '../../../src/core/codec/same.ts'

/** Data of every kind; each has some that are nearly alike. */
const SAMPLES: readonly unknown[] = [
  ...[null, true, false, 0, -0, 1, 1.5, Number.NaN, Infinity, '', 'a', '1', 1n, 2n],
  ...[{}, { a: 1 }, { a: '1' }, { a: undefined }, { a: null }, { b: 1 }, { a: 1, b: 2 }, { b: 2, a: 1 }],
  ...[[], [1], [1, 2], [2, 1], ['1'], [undefined], [null], [[]], [{}], { 0: 1 }, { length: 0 }],
  ...[new Date(0), new Date(1), { at: new Date(0) }, new URL('http://a/'), new URL('http://b/')],
  ...[new Set(), new Set([1]), new Set([2, 1]), new Set([1, 2]), new Set([[1]]), new Set(['1'])],
  ...[new Map(), new Map([[1, 2]]), new Map([[2, 1]]), new Map([['1', 2]]), new Map([[{ a: 1 }, [1]]])],
  ...[
    { deep: [{ set: new Set([{ at: new Date(5) }]) }] },
    { deep: [{ set: new Set([{ at: new Date(6) }]) }] },
  ],
]

describe('isSame', () => {
  it('says of every two data whether they have one text', () => {
    for (const one of SAMPLES) {
      for (const other of SAMPLES) {
        const says = isSame(structuredCloneOf(one), encodeCopy(other).data)
        expect([one, other, says]).toEqual([one, other, encode(one) === encode(other)])
      }
    }
  })

  it('is right of whatever JSON there is', () => {
    const json = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'))
    fc.assert(
      fc.property(json, json, (one, other) => {
        expect(isSame(one, encodeCopy(one).data)).toBe(true)
        expect(isSame(one, encodeCopy(other).data)).toBe(encode(one) === encode(other))
      }),
      { numRuns: 1_000, seed: 20_251_121 },
    )
  })

  it.each<[string, unknown, unknown]>([
    ['a property that is not enumerable', Object.defineProperty({ a: 1 }, 'b', { value: 1 }), { a: 1 }],
    ['a property whose key is a symbol', { a: 1, [Symbol('s')]: 1 }, { a: 1 }],
    ['a property of an array', Object.assign([1], { a: 1 }), [1]],
    ['a property of a Date', Object.assign(new Date(0), { a: 1 }), new Date(0)],
  ])('does not count what no text holds: %s', (_, data, own) => {
    expect(isSame(data, encodeCopy(own).data)).toBe(true)
  })

  it.each<[string, unknown, unknown]>([
    ['an instance of a class', Object.assign(new (class Point {})(), { a: 1 }), { a: 1 }],
    ['a subclass of Map', new (class extends Map<number, number> {})([[1, 2]]), new Map([[1, 2]])],
    ['an invalid Date', new Date(Number.NaN), new Date(0)],
    ['a cycle', cycle(), { self: { self: {} } }],
    ['what is frozen', freeze({ map: new Map() }), { map: new Map() }],
    ['another realm', runInNewContext('({ a: 1 })'), { a: 1 }],
  ])('says no to %s', (_, data, own) => {
    expect(isSame(data, encodeCopy(own).data)).toBe(false)
  })
})

/** A copy of data, as a schema makes one: `structuredClone` does not know a URL. */
function structuredCloneOf(data: unknown): unknown {
  return data instanceof URL ? new URL(data) : structuredClone(data)
}

function cycle(): unknown {
  const data: Record<string, unknown> = {}
  data.self = data
  return data
}
