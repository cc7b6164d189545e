import { describe, expect, it } from 'vitest'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import type { ServerBins } from '../../src/server/request/server-bins.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { openSite, valueIn } from '../support/sites/requests.ts'

const bins = defineBins({
  theme: { storage: 'cookie' },
  cart: {},
  visits: { default: 0 },
  fast: { store: 'fast' },
})

/** What the bins hold. */
type Kept = Readonly<Record<'theme' | 'cart' | 'visits' | 'fast', unknown>>

const NOTHING: Kept = { theme: undefined, cart: undefined, visits: 0, fast: undefined }

interface Step {
  readonly use: (state: ServerBins<typeof bins>) => unknown
  /** What is kept afterwards. */
  readonly change: (before: Kept) => Kept
}

const STEPS: Record<string, Step> = {
  'the first set': {
    use: (state) => {
      state.set('theme', 'dark')
      state.set('cart', ['apple'])
    },
    change: (before) => ({ ...before, theme: 'dark', cart: ['apple'] }),
  },
  'an update': {
    use: (state) => state.update('visits', (visits) => visits + 1),
    change: (before) => ({ ...before, visits: Number(before.visits) + 1 }),
  },
  'a set in another store': {
    use: (state) => state.set('fast', 'value'),
    change: (before) => ({ ...before, fast: 'value' }),
  },
  'an update after a set': {
    use: (state) => {
      state.set('cart', ['pear'])
      return state.update('visits', (visits) => visits + 1)
    },
    change: (before) => ({ ...before, cart: ['pear'], visits: Number(before.visits) + 1 }),
  },
  'a delete': {
    use: (state) => state.set('cart', null),
    change: (before) => ({ ...before, cart: undefined }),
  },
  'a delete of the last bin of a store': {
    use: (state) => state.set('visits', null),
    change: (before) => ({ ...before, visits: 0 }),
  },
  'a set that brings one back': {
    use: (state) => state.set('visits', 5),
    change: (before) => ({ ...before, visits: 5 }),
  },
  'a link': { use: (state) => state.link('/'), change: (before) => before },
  clear: { use: (state) => state.clear(), change: () => NOTHING },
  'a set after clear': {
    use: (state) => state.set('cart', ['fig']),
    change: (before) => ({ ...before, cart: ['fig'] }),
  },
  'a delete of the last bin of all': { use: (state) => state.set('cart', null), change: () => NOTHING },
}

/** Runs all steps while one call of one store fails, and tells how many calls that store got. */
async function play(faulty: 'default' | 'fast', failOn: number, lost: 'request' | 'answer'): Promise<number> {
  const [store, fast] = [memoryStore(), memoryStore()]
  const failing = faultyStore(faulty === 'default' ? store : fast, { failOn, lost })
  const stores = faulty === 'default' ? { store: failing, fast } : { store, fast: failing }
  const site = openSite(bins, { store: stores.store, stores: { fast: stores.fast } })
  const { server: healthy } = openSite(bins, { store, stores: { fast }, clock: site.clock })
  const browser = site.openBrowser()
  const where = `call ${failOn} of ${faulty}, ${lost} lost`

  async function read(): Promise<Kept> {
    const state = await healthy.open(browser.request())
    return {
      theme: state.get('theme'),
      cart: state.get('cart'),
      visits: state.get('visits'),
      fast: state.get('fast'),
    }
  }

  async function check(step: string, expected: Kept): Promise<void> {
    expect(await read(), `${where}: ${step}`).toEqual(expected)
    const { visitor } = await healthy.open(browser.request())
    const isSomebody = valueIn(browser.jar, '__Host-bb') !== undefined
    expect(visitor !== undefined, `${where}: the cookie of somebody who is there`).toBe(isSomebody)
  }

  let kept = NOTHING
  let failures = 0
  for (const [name, { use, change }] of Object.entries(STEPS)) {
    const before = kept
    const after = change(before)
    const isDone = await browser.visit(use).then(
      () => true,
      (error) => {
        expect(error, `${where}: ${name}`).toMatchObject({ code: 'STORE_FAILED' })
        return false
      },
    )
    if (isDone) {
      await check(name, after)
      kept = after
      continue
    }
    failures += 1
    const left = await read()
    // Nobody was told that it is kept, or that it is not; but what was kept before must be there.
    if (name !== 'clear')
      expect([before, after, { ...after, theme: before.theme }], where).toContainEqual(left)
    kept = name === 'clear' ? NOTHING : change(left)
    await browser.visit(use)
    await check(`${name}, tried again`, kept)
  }
  expect(failures, where).toBeLessThanOrEqual(1)
  return failing.calls.length
}

describe.each(['default', 'fast'] as const)('the store %s, one call of which fails', (faulty) => {
  it.each(['request', 'answer'] as const)(
    'loses nothing that was acknowledged when the %s is lost',
    async (lost) => {
      let calls = Number.POSITIVE_INFINITY
      let failOn = 1
      for (; failOn <= calls; failOn += 1) calls = await play(faulty, failOn, lost)
      expect(failOn).toBeGreaterThan(5)
    },
  )
})
