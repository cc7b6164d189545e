import * as fc from 'fast-check'
import superjson from 'superjson'
import { describe, expect, it } from 'vitest'
import { encode } from '../../../src/core/codec/codec.ts'
import { type BinsRecord, createRecord } from '../../../src/core/sync/record.ts'
import { formatRecord, parseRecord } from '../../../src/core/sync/record-text.ts'
import { DAY, START } from '../../support/clock.ts'

const EMPTY = createRecord({ epoch: 'epoch', mark: 'mark', now: START, secrets: ['hash'] })

const FULL: BinsRecord = {
  ...EMPTY,
  seq: START + 5,
  marks: [
    [START, 'mark'],
    [START + 5, 'last'],
  ],
  floor: START + 1,
  cookieUntil: START + DAY,
  bins: new Map([
    ['cart', { rev: 2, touched: 3, text: encode(new Date(0)), version: 1, at: START, expires: START + DAY }],
    [
      'tab',
      { rev: 4, touched: 4, text: encode({ a: 1n }), version: 2, at: START, expires: START, session: 's' },
    ],
    ['gone', { rev: 5, touched: 5, version: 1, at: START, expires: START + DAY }],
  ]),
  applied: new Map([['client', new Map([['cart', 7]])]]),
}

describe('formatRecord', () => {
  it('writes JSON that a user of SQL can query', () => {
    expect(JSON.parse(formatRecord(FULL))).toEqual({
      v: 1,
      epoch: 'epoch',
      seq: START + 5,
      marks: [
        [START, 'mark'],
        [START + 5, 'last'],
      ],
      floor: START + 1,
      meta: { created: START, secrets: ['hash'], cookieUntil: START + DAY },
      bins: {
        cart: {
          rev: 2,
          touched: 3,
          sv: 1,
          at: START,
          exp: START + DAY,
          data: { json: '1970-01-01T00:00:00.000Z', meta: { values: ['Date'], v: 1 } },
        },
        tab: {
          rev: 4,
          touched: 4,
          sv: 2,
          at: START,
          exp: START,
          session: 's',
          data: { json: { a: '1' }, meta: { values: { a: ['bigint'] }, v: 1 } },
        },
        gone: { rev: 5, touched: 5, sv: 1, at: START, exp: START + DAY, gone: true },
      },
      applied: { client: { cart: 7 } },
    })
  })

  it('keeps the data so that superjson reads it', () => {
    const { bins } = JSON.parse(formatRecord(FULL))
    expect(superjson.deserialize(bins.cart.data)).toEqual(new Date(0))
  })
})

describe('parseRecord', () => {
  it.each([
    ['a record that holds nothing', EMPTY],
    ['a record that holds everything', FULL],
    ['a gravestone', { ...EMPTY, erased: START }],
  ])('reads %s', (_, record) => {
    expect(parseRecord(formatRecord(record))).toEqual(record)
  })

  it('reads bins and clients of any name', () => {
    const name = fc.constantFrom(
      '__proto__',
      'constructor',
      'toString',
      '1',
      '"',
      '\\',
      '\n',
      '\u2028',
      'ß',
      '',
    )
    fc.assert(
      fc.property(fc.oneof(name, fc.string({ unit: 'grapheme' })), (any) => {
        const row = { rev: 1, touched: 1, text: encode([any]), version: 1, at: 0, expires: 5 }
        const bins = new Map([[any, row]])
        const record = { ...EMPTY, bins, applied: new Map([[any, new Map([[any, 1]])]]) }
        expect(parseRecord(formatRecord(record))).toEqual(record)
      }),
    )
    expect(Object.prototype).not.toHaveProperty('rev')
  })

  it.each(['', '{', 'null', '[]', '1', '{}', '{"v":2}', '{"v":"1"}', '{"v":1}', '{"v":1,"meta":{}}'])(
    'refuses %j',
    (text) => {
      expect(() => parseRecord(text)).toThrow()
    },
  )

  it('refuses a record of a newer format', () => {
    const text = formatRecord(FULL).replace('"v":1', '"v":2')
    expect(() => parseRecord(text)).toThrow(/another format/)
  })

  it('does not say what is in a text that it refuses', () => {
    expect(() => parseRecord('{"v":1,"data":precious}')).not.toThrow(/precious/)
    expect(() => parseRecord('{"v":1,"data":precious}')).toThrow(SyntaxError)
  })
})
