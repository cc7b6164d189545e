import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { MINUTE, SECOND } from '../../support/clock.ts'
import { checkEqual, checkRejects, checkSame, checkThrows } from '../check.ts'
import type { BinsCases } from './case.ts'

/** How long data lives, and which version of the program reads it. */
export const lifetimeCases: BinsCases = ({ options }) => ({
  'forgets data when its lifetime is over, and not before': {
    bins: defineBins({ bin: { ...options, maxAge: '60s', default: 'default' } }),
    needsLasting: true,
    async run({ bins, again }, clock) {
      bins.set('bin', 'data')
      await bins.save()
      await again()
      clock.advance(MINUTE - 1)
      checkSame((await again()).get('bin'), 'data')
      clock.advance(1)
      const later = await again()
      checkSame(later.get('bin'), 'default')
      checkSame(later.has('bin'), false)
      checkEqual(later.names(), [])
    },
  },

  'keeps what is written after the lifetime was over': {
    bins: defineBins({ bin: { ...options, maxAge: 60 } }),
    needsLasting: true,
    async run({ bins, again }, clock) {
      bins.set('bin', 'first')
      await bins.save()
      await again()
      clock.advance(MINUTE)
      const later = await again()
      later.set('bin', 'second')
      await later.save()
      await again()
      clock.advance(MINUTE - SECOND)
      checkSame((await again()).get('bin'), 'second')
    },
  },

  'lives on from the last write': {
    bins: defineBins({ bin: { ...options, maxAge: '1m' } }),
    needsLasting: true,
    async run({ bins, again }, clock) {
      bins.set('bin', 'first')
      await bins.save()
      await again()
      clock.advance(MINUTE / 2)
      const second = await again()
      second.set('bin', 'second')
      await second.save()
      await again()
      clock.advance(MINUTE / 2)
      checkSame((await again()).get('bin'), 'second')
      clock.advance(MINUTE / 2)
      checkSame((await again()).has('bin'), false)
    },
  },

  "lives on from the first write with renew: 'never'": {
    bins: defineBins({ bin: { ...options, maxAge: '1m', renew: 'never' } }),
    needsLasting: true,
    async run({ bins, again }, clock) {
      bins.set('bin', 'first')
      await bins.save()
      await again()
      clock.advance(MINUTE / 2)
      const second = await again()
      second.set('bin', 'second')
      await second.save()
      checkSame((await again()).get('bin'), 'second')
      clock.advance(MINUTE / 2)
      checkSame((await again()).has('bin'), false)
    },
  },

  "starts a new lifetime after the old one with renew: 'never'": {
    bins: defineBins({ bin: { ...options, maxAge: '1m', renew: 'never' } }),
    needsLasting: true,
    async run({ bins, again }, clock) {
      bins.set('bin', 'first')
      await bins.save()
      await again()
      clock.advance(MINUTE)
      const second = await again()
      second.set('bin', 'second')
      await second.save()
      await again()
      clock.advance(MINUTE / 2)
      checkSame((await again()).get('bin'), 'second')
    },
  },

  "keeps 'session' bins until the browser closes": {
    bins: defineBins({ bin: { ...options, maxAge: 'session' }, other: options }),
    needsLasting: true,
    async run({ bins, again }) {
      bins.set('bin', 'session')
      bins.set('other', 'stays')
      await bins.save()
      checkSame((await again()).get('bin'), 'session')
      const later = await again({ restarted: true })
      checkSame(later.has('bin'), false)
      checkSame(later.get('other'), 'stays')
      later.set('bin', 'another session')
      await later.save()
      checkSame((await again()).get('bin'), 'another session')
    },
  },

  'knows what it has written, and what is absent': {
    bins: defineBins({ bin: options, other: options }),
    needsLasting: true,
    async run({ bins, again }) {
      checkSame(bins.loaded('bin'), true)
      bins.set('bin', 'data')
      checkSame(bins.loaded('bin'), true)
      await bins.save()
      const later = await again()
      checkEqual([later.loaded('bin'), later.has('bin')], [true, true])
      checkEqual([later.loaded('other'), later.has('other')], [true, false])
    },
  },

  'migrates what an older version has written': {
    bins: defineBins({ bin: { ...options, schema: z.string() }, other: options }),
    later: defineBins({
      bin: {
        ...options,
        schema: z.object({ name: z.string() }),
        version: 2,
        migrate: (data, version) => ({ name: `${String(data)} of ${version}` }),
      },
      other: options,
    }),
    needsLasting: true,
    async run({ bins, again }) {
      bins.set('bin', 'old')
      await bins.save()
      await again()
      const later = await again({ later: true })
      checkEqual(later.get('bin'), { name: 'old of 1' })
      checkSame(later.get('bin'), later.get('bin'))
      await later.update('bin', (data) => ({ name: `${(data as { name: string }).name}!` }))
      await later.save()
      checkEqual((await again({ later: true })).get('bin'), { name: 'old of 1!' })
    },
  },

  'gives the default where older data is not valid any more': {
    bins: defineBins({ bin: options }),
    later: defineBins({ bin: { ...options, schema: z.number(), default: 7, version: 2 } }),
    needsLasting: true,
    async run({ bins, again }) {
      bins.set('bin', 'a string')
      await bins.save()
      await again()
      const later = await again({ later: true })
      checkEqual([later.get('bin'), later.has('bin')], [7, false])
      later.set('bin', 8)
      await later.save()
      checkSame((await again({ later: true })).get('bin'), 8)
    },
  },

  'gives the default where a migration throws': {
    bins: defineBins({ bin: options }),
    later: defineBins({
      bin: {
        ...options,
        default: 7,
        version: 2,
        migrate() {
          throw new Error('no way')
        },
      },
    }),
    needsLasting: true,
    async run({ bins, again }) {
      bins.set('bin', 'old')
      await bins.save()
      await again()
      checkSame((await again({ later: true })).get('bin'), 7)
    },
  },

  'leaves alone what a newer version has written': {
    bins: defineBins({ bin: { ...options, version: 2 }, other: options }),
    later: defineBins({ bin: { ...options, default: 'default' }, other: options }),
    needsLasting: true,
    async run({ bins, again }) {
      bins.set('bin', { newer: true })
      await bins.save()
      await again()
      const older = await again({ later: true })
      checkSame(older.get('bin'), 'default')
      checkSame(older.has('bin'), true)
      checkThrows(() => older.set('bin', 'older'), 'OUTDATED')
      checkThrows(() => older.set('bin', null), 'OUTDATED')
      await checkRejects(
        older.update('bin', () => 'older'),
        'OUTDATED',
      )
      older.set('other', 'data')
      await older.save()
      const newer = await again()
      checkEqual(newer.get('bin'), { newer: true })
      checkSame(newer.get('other'), 'data')
    },
  },
})
