import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { checkEqual, checkRejects, checkSame, checkThrows } from '../check.ts'
import type { BinsCase, BinsCases, Place } from './case.ts'

/** Names that were once mixed up, cut, or refused by some storage (traps T21 and T22), in groups that tempt it. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'of what every object has': [
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'valueOf',
    'hasOwnProperty',
  ],
  'that differ by case': ['foo', 'Foo', 'FOO', 'i', 'I', 'ı', 'İ', 'ß', 'SS', 'ss'],
  'with separators': ['a', 'ab', 'a_b', 'a-b', 'a.b', 'a:b', 'a/b', 'a|b', 'a\\b', 'a.b.c'],
  'that look like paths': ['.', '..', '../a', '/', '//', 'a/', '/a', '~', 'C:\\a'],
  'that are our own words': [
    'sid',
    'session',
    'bb',
    'bb-a',
    'bb.o',
    'bb.s',
    'new',
    'default',
    'others',
    'v',
    's/new/',
  ],
  'with spaces': [' ', '  ', ' a', 'a ', 'a a', '\u00a0', '\ufeff', '\u200b'],
  'with control characters': ['\0', 'a\0', '\n', '\r\n', '\t', '\u007f', '\u0085'],
  'that a cookie cannot hold': ['a=b', 'a;b', 'a,b', '"a"', "'a'", '=', ';', ',', '(a)', '<a>', '{a}', '[a]'],
  'that may be decoded twice': ['%', '%20', '%2525', '%2f', '+', 'a+b', '_20', '_', '__', '%_', '*27'],
  'beyond ASCII': [
    'é',
    'e\u0301',
    '\u{1f600}',
    'שלום',
    'مرحبا',
    '\u202ea',
    '漢字',
    'ｉ',
    '\uffff',
    '\uffff\uffff',
  ],
  'that file systems reserve': ['CON', 'con', 'NUL', 'COM1', 'aux.txt', 'a.', 'a:b:$DATA', '.git'],
  'that look like data': ['null', 'undefined', '0', '-1', '1e3', 'NaN', 'true', '[]'],
  'that are methods': ['get', 'set', 'names', 'then', 'toJSON', 'length'],
  'of 64 bytes': ['x'.repeat(64), `${'x'.repeat(63)}y`, 'é'.repeat(32), '\u{1f600}'.repeat(16)],
}

/** How bins are named. */
export const nameCases: BinsCases = (place) => ({
  ...Object.fromEntries(
    Object.entries(NAMES).map(([what, names]) => [`keeps apart names ${what}`, namesCase(place, names)]),
  ),

  'answers a name that is not defined with UNKNOWN_BIN': {
    bins: defineBins({ bin: place.options }),
    async run({ bins }) {
      for (const name of [
        'other',
        'Bin',
        'bin ',
        '',
        '__proto__',
        'constructor',
        'toString',
        'x'.repeat(65),
      ]) {
        checkSame(checkThrows(() => bins.get(name), 'UNKNOWN_BIN').bin, name)
        checkThrows(() => bins.set(name, 'data'), 'UNKNOWN_BIN')
        checkThrows(() => bins.has(name), 'UNKNOWN_BIN')
        checkThrows(() => bins.loaded(name), 'UNKNOWN_BIN')
        checkThrows(() => bins.subscribe(name, () => {}), 'UNKNOWN_BIN')
        await checkRejects(
          bins.update(name, () => 'data'),
          'UNKNOWN_BIN',
        )
      }
    },
  },

  'keeps bins of any name where others are allowed': {
    bins: defineBins({ bin: place.options }, { others: { ...place.options, default: 'default' } }),
    async run({ bins, again }) {
      checkSame(bins.get('any'), 'default')
      bins.set('bin', 1)
      bins.set('any', 2)
      bins.set('__proto__', 3)
      await bins.save()
      const later = await again()
      checkEqual([later.get('bin'), later.get('any'), later.get('__proto__')], [1, 2, 3])
      later.set('any', null)
      checkSame(later.get('any'), 'default')
      checkThrows(() => later.get('x'.repeat(65)), 'UNKNOWN_BIN')
      checkThrows(() => later.get(''), 'UNKNOWN_BIN')
    },
  },

  'names the bins that hold data': {
    bins: defineBins({ one: place.options, two: place.options, three: { ...place.options, default: 3 } }),
    async run({ bins, again }) {
      checkEqual(bins.names(), [])
      bins.set('one', 0)
      bins.set('two', 2)
      checkEqual(bins.names().sort(), ['one', 'two'])
      await bins.save()
      const later = await again()
      checkEqual(later.names().sort(), ['one', 'two'])
      later.set('one', null)
      checkEqual(later.names(), ['two'])
    },
  },

  'names the others that hold data': {
    bins: defineBins({ bin: place.options }, { others: place.options }),
    async run({ bins, again }) {
      bins.set('any', 1)
      checkEqual(bins.names(), ['any'])
      await bins.save()
      checkEqual((await again()).names(), ['any'])
    },
  },
})

function namesCase({ options }: Place, names: readonly string[]): BinsCase {
  return {
    bins: defineBins(Object.fromEntries(names.map((name) => [name, options]))),
    async run({ bins, again }) {
      for (const [index, name] of names.entries()) bins.set(name, index)
      await bins.save()
      const second = await again()
      for (const [index, name] of names.entries()) checkSame(second.get(name), index)
      checkEqual(second.names().sort(), [...names].sort())
      const [first = ''] = names
      second.set(first, null)
      await second.save()
      const third = await again()
      for (const [index, name] of names.entries()) checkSame(third.get(name), index === 0 ? undefined : index)
    },
  }
}
