import { describe, expect, it } from 'vitest'
import { formatCookies, parseCarried } from '../../../src/core/cookie/cookie-header.ts'

describe('formatCookies', () => {
  it('writes what the Cookie header would be, and never nothing', () => {
    expect(formatCookies([['bb', 'a.b']])).toBe('bb=a.b')
    expect(
      formatCookies([
        ['bb', 'a'],
        ['bb-theme', "1.1.a.b.'{'json':'dark'}"],
      ]),
    ).toBe("bb=a; bb-theme=1.1.a.b.'{'json':'dark'}")
    expect(formatCookies([])).toBe('-')
  })
})

describe('parseCarried', () => {
  it('reads values with all characters that they have', () => {
    const value = "1.1.xx8tc0.xysdc0.'{'json':['a=b'!'c^d']}~-_"
    expect(parseCarried(`__Host-bb=id.secret; Max-Age=660, bb-a_20b=${value}, bb.o=; Max-Age=0`)).toEqual([
      ['__Host-bb', 'id.secret', 660],
      ['bb-a_20b', value, undefined],
      ['bb.o', '', 0],
    ])
  })

  it('reads several header lines, however they were joined', () => {
    expect(parseCarried('a=1,b=2; Max-Age=5,c=3')).toEqual([
      ['a', '1', undefined],
      ['b', '2', 5],
      ['c', '3', undefined],
    ])
  })

  it('leaves out what a later version may say besides', () => {
    expect(parseCarried('a=1; Max-Age=5; Other=2, b=2; Other')).toEqual([
      ['a', '1', 5],
      ['b', '2', undefined],
    ])
  })

  it.each(['', '-', ',', '=', ' = ', ';;;', 'ÿ=1'])('finds nothing in %j', (header) => {
    expect(parseCarried(header)).toEqual([])
  })
})
