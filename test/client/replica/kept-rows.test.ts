// @vitest-environment node
import { expect, it } from 'vitest'
import { openKeptRows } from '../../../src/client/replica/kept-rows.ts'
import { readingOf } from '../../../src/client/replica/replica-rows.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { fakePage } from '../../support/pages/fake-page.ts'

const definitions = defineBins({ note: {} })

/** Rows in a database that can be made to fail. */
async function setUp(initial: ReadonlyArray<readonly [string, unknown]> = []) {
  const database = memoryRows(initial)
  const page = fakePage({
    rows: {
      load: (prefix) => (state.isBroken ? Promise.reject(new Error('broken')) : database.load(prefix)),
      change: (prefix, step) =>
        state.isBroken ? Promise.reject(new Error('broken')) : database.change(prefix, step),
      close() {},
    },
  })
  const state = { isBroken: false, told: 0 }
  const rows = await openKeptRows({
    page,
    name: 'bb',
    reading: readingOf(page, definitions),
    onEvent: undefined,
    onStored() {
      state.told += 1
    },
  })
  return { rows, database, state }
}

const edited = (by: string) => {
  const op = {
    n: 7,
    kept: { text: '1', version: 1 },
    at: 1,
    from: null,
    strict: false,
    offered: true,
    page: by,
  }
  return { v: 1, sent: [], op }
}

it('takes the edits of this page along where its database fails, and leaves those of others to them', async () => {
  const { rows, database, state } = await setUp([
    ['s/tag/', { v: 1, client: 'client', last: 7, cursors: {} }],
    ['s/tag/mine', edited('page')],
    ['s/tag/theirs', edited('another')],
  ])
  rows.ownPages.add('page')
  await rows.load('')
  state.isBroken = true
  const kept = await rows.load('s/')
  const { op, ...row } = edited('page')
  expect(kept.get('s/tag/mine')).toEqual({ ...row, op: { ...op, also: { client: 'client', n: 7 } } })
  expect(kept.get('s/tag/theirs')).toEqual({ v: 1, sent: [] })
  state.isBroken = false
  expect(await rows.recover()).toBe(true)
  expect((await database.load('s/')).get('s/tag/theirs')).toEqual(edited('another'))
})

it('tells of each change of the rows, and of no change that is none', async () => {
  const { rows, state } = await setUp()
  await rows.change('d/', () => new Map([['d/note', { v: 1 }]]))
  expect(state.told).toBe(1)
  await rows.change('d/', () => new Map())
  expect(state.told).toBe(1)
})
