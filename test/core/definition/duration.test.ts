import { describe, expect, it } from 'vitest'
import { toSeconds } from '../../../src/core/definition/duration.ts'

describe('toSeconds', () => {
  it.each<[unknown, number]>([
    [1, 1],
    [86_400, 86_400],
    ['1s', 1],
    ['90m', 5_400],
    ['6h', 21_600],
    ['30d', 2_592_000],
    ['0.25d', 21_600],
    ['0.1d', 8_640],
    ['0.7d', 60_480],
    ['1.5m', 90],
    ['400d', 34_560_000],
    ['007d', 604_800],
  ])('reads %j as %i', (duration, seconds) => {
    expect(toSeconds(duration, 'maxAge')).toBe(seconds)
  })

  it.each([
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    '0d',
    '0.00001s',
    '1.5s',
    '-1d',
    '+1d',
    '1',
    '',
    'd',
    '1w',
    '1D',
    '1 d',
    ' 1d',
    '1d ',
    '1e3s',
    '.5d',
    '5.d',
    '1.2.3d',
    '1d2h',
    '9999999999d',
    null,
    undefined,
    true,
    {},
    ['1d'],
    Symbol('1d'),
  ])('refuses %s', (duration) => {
    expect(() => toSeconds(duration, 'bin "cart": maxAge')).toThrow(/^bin "cart": maxAge: .* is no duration/)
  })
})
