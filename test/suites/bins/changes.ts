import * as z from 'zod/mini'
import type { Bins } from '../../../src/core/bins.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { checkEqual, checkRejects, checkSame } from '../check.ts'
import type { BinsCases } from './case.ts'

/** How changes are made, heard of, and undone. */
export const changeCases: BinsCases = ({ options }) => ({
  'calls a listener at once and after each change': {
    bins: defineBins({ bin: { ...options, default: 'default' }, other: options }),
    async run({ bins }) {
      const heard: unknown[] = []
      bins.subscribe('bin', (data) => heard.push(data))
      checkEqual(heard, ['default'])
      bins.set('bin', 'first')
      checkEqual(heard, ['default', 'first'])
      bins.set('other', 'data')
      await bins.update('bin', (data) => `${String(data)}, second`)
      checkEqual(heard, ['default', 'first', 'first, second'])
      bins.set('bin', null)
      checkEqual(heard, ['default', 'first', 'first, second', 'default'])
      await bins.save()
      checkEqual(heard.length, 4)
    },
  },

  'does not call a listener for equal data': {
    bins: defineBins({ bin: options }),
    async run({ bins }) {
      bins.set('bin', { list: [1] })
      let calls = 0
      bins.subscribe('bin', () => {
        calls += 1
      })
      bins.set('bin', { list: [1] })
      await bins.save()
      await bins.update('bin', () => ({ list: [1] }))
      await bins.save()
      checkSame(calls, 1)
    },
  },

  'calls a listener with what get gives': {
    bins: defineBins({ bin: options }),
    async run({ bins }) {
      bins.subscribe('bin', (data) => checkSame(data, bins.get('bin')))
      bins.set('bin', { list: [1] })
      bins.set('bin', null)
      await bins.save()
    },
  },

  'ends a subscription for good': {
    bins: defineBins({ bin: options }),
    async run({ bins }) {
      const heard: unknown[] = []
      const stop = bins.subscribe('bin', (data) => heard.push(['one', data]))
      bins.subscribe('bin', (data) => heard.push(['two', data]))
      stop()
      stop()
      bins.set('bin', 1)
      await bins.save()
      checkEqual(heard, [
        ['one', undefined],
        ['two', undefined],
        ['two', 1],
      ])
    },
  },

  'lets a listener end its own subscription': {
    bins: defineBins({ bin: options }),
    async run({ bins }) {
      const heard: unknown[] = []
      const stop = bins.subscribe('bin', (data) => {
        heard.push(data)
        if (data === 1) stop()
      })
      bins.set('bin', 1)
      bins.set('bin', 2)
      checkEqual(heard, [undefined, 1])
    },
  },

  'does not call a listener whose subscription another has ended': {
    bins: defineBins({ bin: options }),
    async run({ bins }) {
      const heard: unknown[] = []
      let stopOther = () => {}
      bins.subscribe('bin', () => stopOther())
      stopOther = bins.subscribe('bin', (data) => heard.push(data))
      bins.set('bin', 1)
      checkEqual(heard, [undefined])
    },
  },

  'lets a listener change the bin': {
    bins: defineBins({ bin: options }),
    async run({ bins }) {
      const heard: unknown[] = []
      bins.subscribe('bin', (data) => {
        if (data === 'first') bins.set('bin', 'second')
      })
      bins.subscribe('bin', (data) => heard.push(data))
      bins.set('bin', 'first')
      checkSame(bins.get('bin'), 'second')
      checkEqual(heard, [undefined, 'second'])
    },
  },

  'reads, changes and writes in one step': {
    bins: defineBins({ bin: { ...options, schema: z._default(z.number(), 0) } }),
    async run({ bins, again }) {
      checkSame(await bins.update('bin', (count) => Number(count) + 1), 1)
      checkSame(await bins.update('bin', (count) => Number(count) + 1), 2)
      await bins.save()
      const later = await again()
      checkSame(later.get('bin'), 2)
      checkSame(await later.update('bin', (count) => Number(count) + 1), 3)
    },
  },

  'loses none of ten updates at once': {
    bins: defineBins({ bin: { ...options, schema: z._default(z.number(), 0) } }),
    async run({ bins, again }) {
      await Promise.all(Array.from({ length: 10 }, () => bins.update('bin', (count) => Number(count) + 1)))
      checkSame(bins.get('bin'), 10)
      await bins.save()
      checkSame((await again()).get('bin'), 10)
    },
  },

  'updates on top of what was just set': {
    bins: defineBins({ bin: options, other: options }),
    async run({ bins, again }) {
      bins.set('bin', 1)
      bins.set('other', 'stays')
      await bins.update('bin', (count) => Number(count) + 1)
      await bins.save()
      const later = await again()
      checkEqual([later.get('bin'), later.get('other')], [2, 'stays'])
    },
  },

  'deletes a bin whose update answers null': {
    bins: defineBins({ bin: { ...options, default: 'default' } }),
    async run({ bins, again }) {
      bins.set('bin', 'data')
      checkSame(await bins.update('bin', () => null), 'default')
      await bins.save()
      checkSame((await again()).has('bin'), false)
    },
  },

  'changes nothing where an update fails': {
    bins: defineBins({ bin: { ...options, schema: z.number() } }),
    async run({ bins, again }) {
      bins.set('bin', 1)
      await checkRejects(
        bins.update('bin', () => 'two'),
        'INVALID_DATA',
      )
      const failure = () => {
        throw new RangeError('mine')
      }
      await checkRejects(bins.update('bin', failure), 'RangeError')
      checkSame(bins.get('bin'), 1)
      await bins.save()
      checkSame((await again()).get('bin'), 1)
    },
  },

  'keeps bins that were changed at different times apart': {
    bins: defineBins({ one: options, two: options }),
    async run({ bins, again }) {
      bins.set('one', 1)
      await bins.save()
      const second = await again()
      second.set('two', 2)
      await second.save()
      const third = await again()
      checkEqual([third.get('one'), third.get('two')], [1, 2])
    },
  },

  'clears all bins for good': {
    bins: defineBins({ one: options, two: options }),
    async run({ bins, again }) {
      bins.set('one', 1)
      bins.set('two', 2)
      await bins.save()
      const second = await again()
      const heard: unknown[] = []
      second.subscribe('one', (data) => heard.push(data))
      await clearAndSave(second)
      checkEqual(heard, [1, undefined])
      checkEqual(second.names(), [])
      checkEqual((await again()).names(), [])
    },
  },

  'clears edits that were not saved': {
    bins: defineBins({ bin: options }),
    async run({ bins, again }) {
      bins.set('bin', 1)
      await clearAndSave(bins)
      checkSame(bins.has('bin'), false)
      checkSame((await again()).has('bin'), false)
    },
  },

  'clears the others too': {
    bins: defineBins({ bin: options }, { others: options }),
    async run({ bins, again }) {
      bins.set('any', 1)
      await bins.save()
      const later = await again()
      await clearAndSave(later)
      checkSame(later.has('any'), false)
      checkSame((await again()).has('any'), false)
    },
  },

  'keeps what is written after a clear': {
    bins: defineBins({ bin: options, other: options }),
    async run({ bins, again }) {
      bins.set('bin', 'first')
      bins.set('other', 'first')
      await bins.save()
      await clearAndSave(await again())
      const third = await again()
      third.set('bin', 'second')
      await third.save()
      const fourth = await again()
      checkEqual([fourth.get('bin'), fourth.has('other')], ['second', false])
    },
  },
})

async function clearAndSave(bins: Bins): Promise<void> {
  await bins.clear()
  await bins.save()
}
