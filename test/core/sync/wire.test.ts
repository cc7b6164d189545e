import { describe, expect, it } from 'vitest'
import { type BinsRecord, createRecord } from '../../../src/core/sync/record.ts'
import { fromCursor, isLater, toCursor, toWireRow } from '../../../src/core/sync/wire.ts'
import { START } from '../../support/clock.ts'
import { codedJson } from '../../support/wire.ts'

const RECORD: BinsRecord = {
  ...createRecord({ epoch: 'epoch', mark: 'first', now: START }),
  seq: START + 9,
  marks: [
    [START, 'first'],
    [START + 5, 'second'],
    [START + 9, 'third'],
  ],
}

describe('a cursor', () => {
  it('says which life, which change and which mark a client has seen', () => {
    expect(toCursor(RECORD)).toBe(`epoch.${START + 9}.third`)
    expect(fromCursor(toCursor(RECORD), RECORD)).toBe(START + 9)
  })

  it('is known as long as the mark of its change is', () => {
    expect(fromCursor(`epoch.${START + 5}.second`, RECORD)).toBe(START + 5)
    const forgetful = { ...RECORD, marks: RECORD.marks.slice(1) }
    expect(fromCursor(`epoch.${START}.first`, forgetful)).toBeUndefined()
  })

  it('is not known once deletions have been forgotten that it may not have seen', () => {
    expect(fromCursor(`epoch.${START + 5}.second`, { ...RECORD, floor: START + 5 })).toBe(START + 5)
    expect(fromCursor(`epoch.${START + 5}.second`, { ...RECORD, floor: START + 6 })).toBeUndefined()
  })

  it.each([
    null,
    '',
    'rubbish',
    `other.${START + 9}.third`,
    `epoch.${START + 9}.first`,
    `epoch.${START + 8}.third`,
    `epoch.0${START + 9}.third`,
    `epoch.${START + 9}`,
    `epoch.${START + 9}.`,
    '0.0.0',
  ])('is not known: %j', (cursor) => {
    expect(fromCursor(cursor, RECORD)).toBeUndefined()
  })

  it('of no record is known to none', () => {
    expect(toCursor(undefined)).toBe('0.0.0')
  })
})

describe('toWireRow', () => {
  const row = { rev: 5, touched: 6, text: '{"json":1}', version: 2, at: START, expires: START + 1_000 }

  it('tells what is kept, and for how long', () => {
    expect(toWireRow(row, true, START + 400)).toEqual({ rev: 5, sv: 2, text: codedJson(1), ttl: 600 })
  })

  it('tells no more of what is not live than that', () => {
    expect(toWireRow(row, false, START)).toEqual({ rev: 5, sv: 2, gone: true })
    const { text: _, ...tombstone } = row
    expect(toWireRow(tombstone, true, START)).toEqual({ rev: 5, sv: 2, gone: true })
  })
})

describe('isLater', () => {
  it.each([
    ['e.2.m', 'e.1.m', true],
    ['e.10.m', 'e.9.m', true],
    ['e.1.m', 'e.1.m', false],
    ['e.1.m', 'e.2.m', false],
    ['f.2.m', 'e.1.m', false],
    ['e.1.m', undefined, true],
  ])('says whether %s is later than %s', (cursor, other, expected) => {
    expect(isLater(cursor, other)).toBe(expected)
  })
})
