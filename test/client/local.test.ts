// @vitest-environment node
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import type { Moment } from '../../src/client/page/page.ts'
import { openPageBins } from '../../src/client/page-bins.ts'
import { memoryRows } from '../../src/client/table/memory.ts'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { fakePage } from '../support/pages/fake-page.ts'
import { fakeStorage } from '../support/pages/fake-storage.ts'
import { decodedJson } from '../support/wire.ts'

const bins = defineBins({ note: { schema: z.string(), browser: 'write' } })

/** A page of a visitor whose server does not answer. */
async function setUp({ canKeep = true } = {}) {
  const sent: unknown[] = []
  const listeners = new Set<(moment: Moment) => void>()
  const fail = () => Promise.reject(new Error('blocked'))
  const rows = canKeep ? memoryRows() : { load: fail, change: fail, close() {} }
  const texts = fakeStorage()
  const page = fakePage({
    rows,
    texts,
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    fetch(_, init) {
      if (init?.keepalive) sent.push(decodedJson(JSON.parse(String(init.body)).parts[0].ops[0].text))
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
    expect(sent).toEqual(['stored'])
  })

  it('writes down what its own listeners edit after ours', async () => {
    const { state, befall, texts } = await setUp()
    befall('left')
    state.set('note', 'at the last moment')
    expect(Object.values(texts).join()).toContain('at the last moment')
  })
})

describe('a page with an edit that waits to be sent', () => {
  it('says nothing where the next page will find it', async () => {
    const { state } = await setUp()
    state.set('note', 'mine')
    await state.save()
    expect(state.status()).toMatchObject({ pending: 1, problem: undefined, storage: { kind: 'indexeddb' } })
  })

  it('says that it is not kept where no other page can find it', async () => {
    const { state } = await setUp({ canKeep: false })
    expect(state.status()).toMatchObject({
      pending: 0,
      problem: undefined,
      storage: { kind: 'localstorage' },
    })
    state.set('note', 'mine')
    await state.save()
    expect(state.status()).toMatchObject({ pending: 1, problem: 'not-kept' })
  })
})

describe('an edit that waits for a visitor of former times', () => {
  /** The rows of a visitor whose companion cookie is still there. */
  const rowsWith = (state: string) => {
    const op = {
      n: 7,
      kept: { text: '{"json":"mine"}', version: 1 },
      at: 1,
      from: null,
      strict: false,
      offered: true,
    }
    return memoryRows([
      ['c/', { v: 1, tag: 'tag', state }],
      ['s/tag/', { v: 1, client: 'client', last: 7, cursors: { default: 'epoch.5.mark' } }],
      ['s/tag/note', { v: 1, sent: [], op }],
    ])
  }

  it('is kept for the next one, if it was the server that has forgotten the visitor', async () => {
    const state = await openPageBins(fakePage({ rows: rowsWith('forgotten') }), bins, {})
    expect([state.get('note'), state.pending('note')]).toEqual(['mine', true])
  })

  it('is for nobody, if the visitor was cleared', async () => {
    const state = await openPageBins(fakePage({ rows: rowsWith('done') }), bins, {})
    expect([state.get('note'), state.pending('note')]).toEqual([undefined, false])
  })
})
