import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { decodeTrusted, encode } from '../../../src/core/codec/codec.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinOptions } from '../../../src/core/definition/definition.ts'
import { mergeFields, mergeTexts } from '../../../src/core/sync/merge.ts'

const NEVER = undefined

describe('mergeFields', () => {
  it.each<[string, unknown, unknown, unknown, unknown]>([
    ['nothing changed', { a: 1 }, { a: 1 }, { a: 1 }, { a: 1 }],
    ['mine changed', { a: 1 }, { a: 2 }, { a: 1 }, { a: 2 }],
    ['theirs changed', { a: 1 }, { a: 1 }, { a: 2 }, { a: 2 }],
    ['both changed alike', { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }],
    ['both changed one field', { a: 1 }, { a: 2 }, { a: 3 }, { a: 2 }],
    ['each changed another field', { a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 2 }, { a: 2, b: 2 }],
    ['each added a field', {}, { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['mine removed a field', { a: 1, b: 1 }, { b: 1 }, { a: 1, b: 2 }, { b: 2 }],
    ['theirs removed a field', { a: 1, b: 1 }, { a: 1, b: 2 }, { b: 1 }, { b: 2 }],
    ['mine removed what theirs changed', { a: 1 }, {}, { a: 2 }, { a: 2 }],
    ['mine changed what theirs removed', { a: 1 }, { a: 2 }, {}, { a: 2 }],
    ['both removed a field', { a: 1, b: 1 }, { b: 1 }, { b: 1 }, { b: 1 }],
    [
      'fields of fields',
      { x: { a: 1, b: 1 } },
      { x: { a: 2, b: 1 } },
      { x: { a: 1, b: 2 } },
      { x: { a: 2, b: 2 } },
    ],
    ['both made it', NEVER, { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['mine deleted it', { a: 1 }, NEVER, { a: 1 }, NEVER],
    ['theirs deleted it', { a: 1 }, { a: 1 }, NEVER, NEVER],
    ['mine deleted what theirs changed', { a: 1 }, NEVER, { a: 2 }, { a: 2 }],
    ['mine changed what theirs deleted', { a: 1 }, { a: 2 }, NEVER, { a: 2 }],
    ['both deleted it', { a: 1 }, NEVER, NEVER, NEVER],
    ['a list is a whole', [1], [1, 2], [1, 3], [1, 2]],
    ['a list in a field is a whole', { a: [1] }, { a: [1, 2] }, { a: [1, 3], b: 1 }, { a: [1, 2], b: 1 }],
    ['a list became an object', { a: [1] }, { a: { b: 1 } }, { a: [1, 2] }, { a: { b: 1 } }],
    [
      'a Date is a whole',
      { a: new Date(0) },
      { a: new Date(1) },
      { a: new Date(0), b: 1 },
      { a: new Date(1), b: 1 },
    ],
    ['equal Dates are equal', { a: new Date(0) }, { a: new Date(0) }, { a: new Date(2) }, { a: new Date(2) }],
    ['-0 is not 0', { a: 0 }, { a: -0 }, { a: 0, b: 1 }, { a: -0, b: 1 }],
    ['fields that objects have by nature', {}, { toString: 1 }, { valueOf: 2 }, { toString: 1, valueOf: 2 }],
    ['numbers', 1, 2, 3, 2],
  ])('%s', (_, base, mine, theirs, merged) => {
    expect(mergeFields(base, mine, theirs)).toEqual(merged)
  })

  it('takes what one side left alone from the other, whatever it is', () => {
    const leaf = fc.oneof(fc.string(), fc.double(), fc.boolean())
    const field = fc.constantFrom('a', 'b', 'c')
    const data = fc.oneof(
      leaf,
      fc.array(leaf),
      fc.dictionary(field, fc.oneof(leaf, fc.dictionary(field, leaf))),
    )
    fc.assert(
      fc.property(data, data, (base, other) => {
        expect(mergeFields(base, other, base)).toEqual(other)
        expect(mergeFields(base, base, other)).toEqual(other)
        expect(mergeFields(base, other, other)).toEqual(other)
      }),
    )
  })
})

describe('mergeTexts', () => {
  function merge(options: BinOptions, base: unknown, mine: unknown, theirs: unknown): unknown {
    const definition = defineBins({ bin: options }).find('bin')
    const kept = (data: unknown) => (data === undefined ? undefined : { text: encode(data), version: 1 })
    const merged = mergeTexts(definition, { base: kept(base), mine: kept(mine), theirs: kept(theirs) })
    return typeof merged === 'string' ? decodeTrusted(merged) : merged
  }

  it('merges by fields, or by a function', () => {
    expect(merge({ merge: 'fields' }, { a: 1 }, { a: 2 }, { a: 1, b: 1 })).toEqual({ a: 2, b: 1 })
    const sum = (base: unknown, mine: unknown, theirs: unknown) =>
      Number(mine) + Number(theirs) - Number(base)
    expect(merge({ merge: sum }, 10, 12, 13)).toBe(15)
  })

  it.each(['latest', 'server'] as const)('has nothing to do for the rule %s', (rule) => {
    expect(merge({ merge: rule }, 1, 2, 3)).toBeUndefined()
  })

  it('tells the function what is absent', () => {
    const calls: unknown[][] = []
    const rule = (...args: unknown[]) => {
      calls.push(args)
      return null
    }
    merge({ merge: rule }, undefined, 1, undefined)
    expect(calls).toEqual([[undefined, 1, undefined]])
  })

  it('deletes if the function says so, or nothing is left', () => {
    expect(merge({ merge: () => null }, 1, 2, 3)).toBeNull()
    expect(merge({ merge: 'fields' }, { a: 1 }, undefined, undefined)).toBeNull()
  })

  it.each<[string, BinOptions]>([
    [
      'throws',
      {
        merge: () => {
          throw new Error('broken')
        },
      },
    ],
    ['returns what the schema refuses', { schema: z.number(), merge: () => 'text' as never }],
    ['returns what cannot be encoded', { merge: () => Symbol('no data') as never }],
  ])('gives up if the function %s', (_, options) => {
    expect(merge(options, 1, 2, 3)).toBeUndefined()
  })

  it('shows the function today’s data, and what it cannot read as absent', () => {
    const definition = defineBins({
      bin: {
        version: 2,
        schema: z.object({ count: z.number() }),
        migrate: (count) => ({ count }),
        merge: (base, mine, theirs) => ({
          count: (base?.count ?? 100) + (mine?.count ?? 100) + (theirs?.count ?? 100),
        }),
      },
    }).find('bin')
    const merged = mergeTexts(definition, {
      base: { text: encode(1), version: 1 },
      mine: { text: encode({ count: 20 }), version: 2 },
      theirs: { text: encode('rubbish'), version: 2 },
    })
    expect(merged).toBe(encode({ count: 121 }))
  })
})
