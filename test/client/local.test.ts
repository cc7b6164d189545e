// @vitest-environment node
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import type { Moment } from '../../src/client/page.ts'
import { openPageBins } from '../../src/client/page-bins.ts'
import { memoryRows } from '../../src/client/storages/memory.ts'
import { defineBins } from '../../src/core/definition.ts'
import { fakePage } from '../support/fake-page.ts'
import { fakeStorage } from '../support/fake-storage.ts'

const bins = defineBins({ note: { schema: z.string(), browser: 'write' } })

/** A page of a visitor whose server does not answer. */
async function setUp() {
  const sent: unknown[] = []
  const listeners = new Set<(moment: Moment) => void>()
  const rows = memoryRows()
  const texts = fakeStorage()
  const page = fakePage({
    rows,
    texts,
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    fetch(_, init) {
      if (init?.keepalive) sent.push(JSON.parse(String(init.body)).parts[0].ops[0].data)
      return new Promise(() => {})
    },
  })
  const befall = (moment: Moment) => {
    for (const listener of listeners) listener(moment)
  }
  const state = await openPageBins(page, bins, {})
  return { state, befall, sent, rows, texts, page }
}

describe('a page that is left', () => {
  it('sends what it has stored once, whatever steps it is left in', async () => {
    const { state, befall, sent } = await setUp()
    state.set('note', 'stored')
    await state.save()
    for (const moment of ['hidden', 'left', 'hidden'] as const) befall(moment)
    expect(sent).toEqual([{ json: 'stored' }])
  })

  it('writes down what its own listeners edit after ours', async () => {
    const { state, befall, texts } = await setUp()
    befall('left')
    state.set('note', 'at the last moment')
    expect(Object.values(texts).join()).toContain('at the last moment')
  })
})
