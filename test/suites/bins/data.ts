import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { checkEqual, checkNotSame, checkRejects, checkSame, checkThrows } from '../check.ts'
import type { BinsCases } from './case.ts'

const FALSY = { zero: 0, empty: '', no: false, list: [], object: {}, nan: Number.NaN, minusZero: -0 }

/** What data may be, and what becomes of it. */
export const dataCases: BinsCases = ({ options }) => ({
  'reads what was just written, and reads it again later': {
    bins: defineBins({ bin: options }),
    async run({ bins, again }) {
      bins.set('bin', 'first')
      checkSame(bins.get('bin'), 'first')
      bins.set('bin', 'second')
      checkSame(bins.get('bin'), 'second')
      await bins.save()
      checkSame(bins.get('bin'), 'second')
      checkSame((await again()).get('bin'), 'second')
    },
  },

  'writes over what it has read': {
    bins: defineBins({ bin: options }),
    async run({ bins, again }) {
      bins.set('bin', { long: 'x'.repeat(500) })
      await bins.save()
      const second = await again()
      second.set('bin', { short: 1 })
      await second.save()
      checkEqual((await again()).get('bin'), { short: 1 })
    },
  },

  "keeps 0, '', false, [], {}, NaN and -0": {
    bins: defineBins(Object.fromEntries(Object.keys(FALSY).map((name) => [name, options]))),
    async run({ bins, again }) {
      for (const [name, data] of Object.entries(FALSY)) bins.set(name, data)
      for (const [name, data] of Object.entries(FALSY)) checkEqual(bins.get(name), data)
      await bins.save()
      const later = await again()
      for (const [name, data] of Object.entries(FALSY)) {
        checkEqual(later.get(name), data)
        checkSame(later.has(name), true)
      }
    },
  },

  'deletes with null': {
    bins: defineBins({ bin: options, other: options }),
    async run({ bins, again }) {
      bins.set('bin', 'data')
      bins.set('other', { field: null })
      await bins.save()
      const second = await again()
      second.set('bin', null)
      checkSame(second.get('bin'), undefined)
      checkSame(second.has('bin'), false)
      await second.save()
      const third = await again()
      checkSame(third.has('bin'), false)
      checkEqual(third.get('other'), { field: null })
    },
  },

  'keeps what is written after a deletion': {
    bins: defineBins({ bin: options }),
    async run({ bins, again }) {
      bins.set('bin', 'first')
      await bins.save()
      const second = await again()
      second.set('bin', null)
      second.set('bin', 'second')
      await second.save()
      checkSame((await again()).get('bin'), 'second')
    },
  },

  'lets nobody notice that what was never there is deleted': {
    bins: defineBins({ bin: options }),
    async run({ bins, again }) {
      bins.set('bin', null)
      await bins.save()
      checkSame(bins.has('bin'), false)
      checkSame((await again()).has('bin'), false)
    },
  },

  'refuses undefined, and changes nothing': {
    bins: defineBins({ bin: options }),
    async run({ bins, again }) {
      bins.set('bin', 'data')
      checkThrows(() => bins.set('bin', undefined), 'TypeError')
      await checkRejects(
        bins.update('bin', () => undefined),
        'TypeError',
      )
      checkSame(bins.get('bin'), 'data')
      await bins.save()
      checkSame((await again()).get('bin'), 'data')
    },
  },

  'keeps Date, Map, Set, URL, bigint and what else JSON cannot say': {
    bins: defineBins({ bin: options }),
    async run({ bins, again }) {
      bins.set('bin', manyKinds())
      checkEqual(bins.get('bin'), manyKinds())
      await bins.save()
      checkEqual((await again()).get('bin'), manyKinds())
    },
  },

  'gives data that cannot be changed': {
    bins: defineBins({ bin: options }),
    async run({ bins, again }) {
      bins.set('bin', manyKinds())
      checkFrozen(bins.get('bin'))
      await bins.save()
      const later = await again()
      checkFrozen(later.get('bin'))
      checkEqual(later.get('bin'), manyKinds())
    },
  },

  'gives the same object until the bin changes': {
    bins: defineBins({ bin: options, other: options }),
    async run({ bins }) {
      bins.set('bin', { count: 1 })
      const data = bins.get('bin')
      checkSame(bins.get('bin'), data)
      bins.set('other', { count: 1 })
      checkSame(bins.get('bin'), data)
      await bins.save()
      checkSame(bins.get('bin'), data)
      bins.set('bin', { count: 2 })
      checkNotSame(bins.get('bin'), data)
      checkEqual(data, { count: 1 })
    },
  },

  "does not share the caller's object": {
    bins: defineBins({ bin: options, other: options }),
    async run({ bins, again }) {
      const own = { list: [1], date: new Date(0), map: new Map([['key', [1]]]) }
      bins.set('bin', own)
      bins.set('other', own)
      own.list.push(2)
      own.date.setTime(1)
      own.map.get('key')?.push(2)
      const original = { list: [1], date: new Date(0), map: new Map([['key', [1]]]) }
      checkEqual(bins.get('bin'), original)
      checkNotSame(bins.get('bin'), bins.get('other'))
      await bins.save()
      const later = await again()
      checkEqual(later.get('bin'), original)
      checkEqual(later.get('other'), original)
    },
  },

  'refuses data that the schema refuses, and changes nothing': {
    bins: defineBins({ bin: { ...options, schema: z.object({ count: z.number() }) } }),
    async run({ bins, again }) {
      bins.set('bin', { count: 1 })
      const error = checkThrows(() => bins.set('bin', { count: 'two' }), 'INVALID_DATA')
      checkSame(error.bin, 'bin')
      checkEqual(
        error.issues?.map(({ path }) => path),
        [['count']],
      )
      checkEqual(bins.get('bin'), { count: 1 })
      await bins.save()
      checkEqual((await again()).get('bin'), { count: 1 })
    },
  },

  'refuses data that could not be read again, and says where it is': {
    bins: defineBins({ bin: options }),
    async run({ bins }) {
      bins.set('bin', 'data')
      const cycle: { self?: unknown } = {}
      cycle.self = cycle
      for (const [at, data] of Object.entries({ run: () => 1, key: Symbol('key'), self: cycle, re: /x/ })) {
        const error = checkThrows(() => bins.set('bin', { [at]: data }), 'INVALID_DATA')
        checkSame(Array.isArray(error.issues?.[0]?.path) && error.issues[0].path[0], at)
      }
      checkThrows(() => bins.set('bin', JSON.parse('{"__proto__":{"polluted":1}}')), 'INVALID_DATA')
      checkSame(bins.get('bin'), 'data')
    },
  },

  'never puts refused data into its errors': {
    bins: defineBins({ bin: { ...options, schema: z.enum(['light', 'dark']) } }),
    async run({ bins }) {
      const { message, issues } = checkThrows(() => bins.set('bin', 'my-secret'), 'INVALID_DATA')
      checkSame(/my-secret/.test(message + JSON.stringify(issues)), false)
    },
  },

  "keeps the schema's output": {
    bins: defineBins({ bin: { ...options, schema: z.object({ name: z.string().check(z.trim()) }) } }),
    async run({ bins, again }) {
      bins.set('bin', { name: ' Ada ', age: 36 })
      checkEqual(bins.get('bin'), { name: 'Ada' })
      await bins.save()
      checkEqual((await again()).get('bin'), { name: 'Ada' })
    },
  },
})

function manyKinds() {
  return {
    date: new Date(0),
    map: new Map<unknown, unknown>([['key', { deep: [1] }]]),
    set: new Set([1, 'two']),
    url: new URL('https://example.org/path?query=1#hash'),
    numbers: [Number.NaN, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    big: 2n ** 100n,
    nothing: undefined,
    text: 'é😀\u2028\0"\\;,=%+',
  }
}

type ManyKinds = ReturnType<typeof manyKinds>

function checkFrozen(data: unknown): void {
  // The bin holds what manyKinds() made.
  const { date, map, set, url, numbers } = data as ManyKinds
  const deep = map.get('key') as { deep: number[] }
  const changes = [
    () => Object.assign(data as object, { date: 1 }),
    () => numbers.push(1),
    () => deep.deep.push(2),
    () => date.setTime(1),
    () => map.set('key', 1),
    () => map.delete('key'),
    () => set.add(3),
    () => set.clear(),
    () => url.searchParams.set('query', '2'),
    () => {
      url.pathname = '/other'
    },
  ]
  for (const change of changes) checkThrows(change, 'TypeError')
}
