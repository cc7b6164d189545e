import { cookieBytes, formatPlain } from '../../../src/core/cookie/cookie-format.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinOptions } from '../../../src/core/definition/definition.ts'
import { checkEqual, checkRejects, checkSame, checkThrows } from '../check.ts'
import type { BinsCase, BinsCases } from './case.ts'

const YEAR = 365 * 86_400

/** Cases of a place whose bins this side can only read, or not even that. */
export const readOnlyCases: BinsCases = ({ options }) => ({
  'refuses to write what this side may only read': {
    bins: defineBins({ bin: { ...options, default: 'default' } }),
    async run({ bins }) {
      checkSame(checkThrows(() => bins.set('bin', 'data'), 'READ_ONLY').bin, 'bin')
      checkThrows(() => bins.set('bin', null), 'READ_ONLY')
      await checkRejects(
        bins.update('bin', () => 'data'),
        'READ_ONLY',
      )
      checkEqual([bins.get('bin'), bins.has('bin')], ['default', false])
    },
  },
})

/** How large data may be. */
export const limitCases: BinsCases = ({ options }) => {
  if (options.storage !== 'cookie') return sizeCases(options)
  // The length of a sealed cookie is not one for each byte of data.
  return options.browser === 'none' ? {} : cookieCases(options)
}

function sizeCases(options: BinOptions): Record<string, BinsCase> {
  const longest = 'x'.repeat(16_384 - '{"json":""}'.length)
  return {
    'keeps a bin of 16 KiB, and refuses one byte more': {
      bins: defineBins({ bin: options, other: options }),
      async run({ bins, again }) {
        bins.set('bin', longest)
        bins.set('other', 'data')
        const error = checkThrows(() => bins.set('bin', `${longest}x`), 'TOO_LARGE')
        checkSame(error.bin, 'bin')
        checkSame(/16385 bytes.*16384/.test(error.message), true)
        checkThrows(() => bins.set('bin', 'é'.repeat(longest.length / 2 + 1)), 'TOO_LARGE')
        await checkRejects(
          bins.update('bin', () => `${longest}x`),
          'TOO_LARGE',
        )
        checkSame(bins.get('bin'), longest)
        await bins.save()
        const later = await again()
        checkSame(later.get('bin'), longest)
        checkSame(later.get('other'), 'data')
      },
    },
  }
}

function cookieCases(options: BinOptions): Record<string, BinsCase> {
  const signature = options.browser === 'read' ? 's.'.length + 43 : 0

  /** Data that makes the cookie of a bin exactly this large. */
  function dataOf(bin: string, bytes: number, now: number): string {
    const at = now / 1_000
    const value = formatPlain({ version: 1, at, expires: at + YEAR, text: '{"json":""}' })
    return 'x'.repeat(bytes - cookieBytes(`bb-${bin}`, value) - signature)
  }

  return {
    'keeps a cookie of 4,096 bytes, and refuses one byte more': {
      bins: defineBins({ bin: { ...options, maxAge: YEAR }, other: options }),
      async run({ bins, again }, clock) {
        const longest = dataOf('bin', 4_096, clock())
        bins.set('bin', longest)
        bins.set('other', 'data')
        const error = checkThrows(() => bins.set('bin', `${longest}x`), 'TOO_LARGE')
        checkSame(error.bin, 'bin')
        checkSame(/4097 bytes.*4096.*storage: 'server'/.test(error.message), true)
        await checkRejects(
          bins.update('bin', () => `${longest}x`),
          'TOO_LARGE',
        )
        checkSame(bins.get('bin'), longest)
        await bins.save()
        const later = await again()
        checkSame(later.get('bin'), longest)
        checkSame(later.get('other'), 'data')
      },
    },

    'keeps cookies of 6 KiB together, and refuses one byte more': {
      bins: defineBins({ one: { ...options, maxAge: YEAR }, two: { ...options, maxAge: YEAR } }),
      async run({ bins, again }, clock) {
        const one = dataOf('one', 4_000, clock())
        const two = dataOf('two', 6_144 - 4_000, clock())
        bins.set('one', one)
        const error = checkThrows(() => bins.set('two', `${two}x`), 'TOO_LARGE')
        checkSame(error.bin, 'two')
        checkSame(/6145 bytes.*6144/.test(error.message), true)
        checkSame(bins.has('two'), false)
        bins.set('two', two)
        await bins.save()
        const later = await again()
        checkEqual([later.get('one'), later.get('two')], [one, two])
        checkThrows(() => later.set('two', `${two}x`), 'TOO_LARGE')
        checkEqual([later.get('one'), later.get('two')], [one, two])
        later.set('one', null)
        later.set('two', `${two}x`)
        await later.save()
        checkEqual((await again()).get('two'), `${two}x`)
      },
    },
  }
}
