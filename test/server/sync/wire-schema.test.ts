import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseSyncRequest } from '../../../src/server/sync/wire-schema.ts'
import { codedJson } from '../../support/wire.ts'

const OP = { n: 1, bin: 'cart', base: null, text: codedJson(1), age: 0, sv: 1 }
const PART = { owner: 'visitor', store: 'default', tag: null, cursor: null, ops: [OP] }
const REQUEST = { v: 1, client: 'client', parts: [PART] }

const withOp = (changed: object) => ({ ...REQUEST, parts: [{ ...PART, ops: [{ ...OP, ...changed }] }] })
const withPart = (changed: object) => ({ ...REQUEST, parts: [{ ...PART, ...changed }] })

describe('parseSyncRequest', () => {
  it.each<[string, unknown]>([
    ['an op', REQUEST],
    ['a deletion', withOp({ text: undefined, gone: true })],
    ['an op with all there is', withOp({ strict: true, base: 5, age: 1.5 })],
    ['a text that only its own op has to answer for', withOp({ text: 'no base64url!' })],
    ['a text of nothing', withOp({ text: '' })],
    ['a name of any kind', withOp({ bin: '__proto__' })],
    ['two stores', { ...REQUEST, parts: [PART, { ...PART, store: 'fast' }] }],
    ['64 ops', withPart({ ops: Array.from({ length: 64 }, () => OP) })],
    ['a tag and a cursor', withPart({ tag: 'A-_9', cursor: 'epoch.5.mark' })],
  ])('takes %s', (_, json) => {
    expect(parseSyncRequest(json)).toEqual(json)
  })

  it.each<[string, unknown]>([
    ['a key that it does not know', { ...REQUEST, more: 1 }],
    ['a key that it does not know in a part', withPart({ more: 1 })],
    ['a key that it does not know in an op', withOp({ more: 1 })],
    ['a prototype', JSON.parse('{"v":1,"client":"c","parts":[],"__proto__":{"a":1}}')],
    ['no part', { ...REQUEST, parts: [] }],
    [
      '101 parts',
      { ...REQUEST, parts: Array.from({ length: 101 }, (_, store) => ({ ...PART, store: `${store}` })) },
    ],
    ['one store twice', { ...REQUEST, parts: [PART, PART] }],
    ['65 ops', withPart({ ops: Array.from({ length: 65 }, () => OP) })],
    [
      '65 ops in two parts',
      {
        ...REQUEST,
        parts: [
          { ...PART, ops: Array.from({ length: 33 }, () => OP) },
          { ...PART, store: 'fast', ops: Array.from({ length: 32 }, () => OP) },
        ],
      },
    ],
    ['an owner that there is not', withPart({ owner: 'group' })],
    ['an op of no number', withOp({ n: 0 })],
    ['an op of half a number', withOp({ n: 1.5 })],
    ['a number as a string', withOp({ n: '1' })],
    ['a huge number', withOp({ n: 2 ** 53 })],
    ['a number beyond all', JSON.parse(JSON.stringify(withOp({ n: 'N' })).replace('"N"', '1e999'))],
    ['a base below 0', withOp({ base: -1 })],
    ['an age below 0', withOp({ age: -1 })],
    ['no name', withOp({ bin: '' })],
    ['a long name', withOp({ bin: 'x'.repeat(65) })],
    ['a text that is none', withOp({ text: null })],
    ['data in place of a text', withOp({ text: undefined, data: { json: 1 } })],
    ['a text and a deletion', withOp({ gone: true })],
    ['neither a text nor a deletion', withOp({ text: undefined })],
    ['a deletion that is none', withOp({ text: undefined, gone: false })],
    ['an update that is none', withOp({ strict: false })],
    ['a client of other characters', { ...REQUEST, client: 'a b' }],
    ['a long client', { ...REQUEST, client: 'x'.repeat(65) }],
    ['a store of other characters', withPart({ store: '../etc' })],
    ['a cursor that is too long', withPart({ cursor: 'x'.repeat(129) })],
    ['an empty cursor', withPart({ cursor: '' })],
  ])('refuses %s', (_, json) => {
    expect(parseSyncRequest(json)).toBeUndefined()
  })

  it('throws at nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        for (const each of [
          json,
          { ...REQUEST, parts: json },
          withPart({ ops: json }),
          withOp({ base: json }),
        ]) {
          parseSyncRequest(each)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
