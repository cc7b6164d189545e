// @vitest-environment node
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { openPageBins } from '../../src/client/page-bins.ts'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { openTimers } from '../support/clock.ts'
import { fakePage } from '../support/pages/fake-page.ts'

const bins = defineBins({ live: { schema: z._default(z.number(), 0), storage: 'cookie' } })

describe('update of a cookie bin', () => {
  it('waits for another page that edits it, but not for ever, and has a lock that nothing else has', async () => {
    const timers = openTimers()
    const locks: string[] = []
    const page = fakePage({
      timer: timers.start,
      lock(name, work, until) {
        locks.push(name)
        return new Promise((resolve) => until?.addEventListener('abort', () => resolve(work())))
      },
    })
    const state = await openPageBins(page, bins, {})
    const updated = state.update('live', (count) => count + 1)
    expect(timers.waiting.map(({ ms }) => ms)).toEqual([5_000])
    timers.waiting[0]?.fire()
    await updated
    expect([locks, timers.waiting]).toEqual([['bin:live'], []])
  })
})
