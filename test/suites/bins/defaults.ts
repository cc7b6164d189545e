import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { checkEqual, checkNotSame, checkSame, checkThrows } from '../check.ts'
import type { BinsCases } from './case.ts'

const Settings = z.object({
  size: z._default(z.number(), 10),
  tags: z._default(z.array(z.string()), ['new']),
})

/** What `get` gives of an absent bin. */
export const defaultCases: BinsCases = ({ options }) => ({
  'gives undefined of an absent bin without a default': {
    bins: defineBins({ bin: options, strict: { ...options, schema: z.string() } }),
    async run({ bins }) {
      checkSame(bins.get('bin'), undefined)
      checkSame(bins.get('strict'), undefined)
      checkSame(bins.has('bin'), false)
    },
  },

  "gives the definition's default, which nobody can change": {
    bins: defineBins({ bin: { ...options, default: { list: ['one'] } } }),
    async run({ bins, stranger }) {
      checkEqual(bins.get('bin'), { list: ['one'] })
      checkSame(bins.get('bin'), bins.get('bin'))
      checkSame(bins.has('bin'), false)
      // What a default looks like is checked above.
      checkThrows(() => (bins.get('bin') as { list: string[] }).list.push('two'), 'TypeError')
      const other = await stranger()
      checkEqual(other.get('bin'), { list: ['one'] })
      checkNotSame(other.get('bin'), bins.get('bin'))
    },
  },

  "gives the schema's default": {
    bins: defineBins({ bin: { ...options, schema: z._default(z.enum(['light', 'dark']), 'light') } }),
    async run({ bins }) {
      checkSame(bins.get('bin'), 'light')
      checkSame(bins.has('bin'), false)
    },
  },

  "shares a schema's nested defaults with nobody": {
    bins: defineBins({ bin: { ...options, schema: z._default(Settings, { size: 10, tags: ['new'] }) } }),
    async run({ bins, again, stranger }) {
      checkEqual(bins.get('bin'), { size: 10, tags: ['new'] })
      bins.set('bin', {})
      checkEqual(bins.get('bin'), { size: 10, tags: ['new'] })
      checkThrows(() => (bins.get('bin') as z.infer<typeof Settings>).tags.push('mine'), 'TypeError')
      await bins.save()
      checkEqual((await again()).get('bin'), { size: 10, tags: ['new'] })
      checkEqual((await stranger()).get('bin'), { size: 10, tags: ['new'] })
    },
  },

  'gives the default again after a deletion': {
    bins: defineBins({ bin: { ...options, default: 'default' } }),
    async run({ bins, again }) {
      bins.set('bin', 'data')
      await bins.save()
      const later = await again()
      later.set('bin', null)
      checkSame(later.get('bin'), 'default')
      await later.save()
      checkSame((await again()).get('bin'), 'default')
    },
  },

  'tells data that equals the default from an absent bin': {
    bins: defineBins({ bin: { ...options, default: 'default' } }),
    async run({ bins, again }) {
      bins.set('bin', 'default')
      checkSame(bins.has('bin'), true)
      await bins.save()
      checkSame((await again()).has('bin'), true)
    },
  },

  'shows nobody what another visitor has': {
    bins: defineBins({ bin: options }),
    async run({ bins, again, stranger }) {
      bins.set('bin', 'mine')
      await bins.save()
      const other = await stranger()
      checkSame(other.has('bin'), false)
      checkSame(other.get('bin'), undefined)
      other.set('bin', 'theirs')
      await other.save()
      checkSame((await again()).get('bin'), 'mine')
      checkSame(other.get('bin'), 'theirs')
    },
  },
})
