// @vitest-environment node
import { expect, it } from 'vitest'
import { openKeptRows } from '../../src/client/kept-rows.ts'
import { readingOf } from '../../src/client/replica-rows.ts'
import { memoryRows } from '../../src/client/storages/memory.ts'
import { defineBins } from '../../src/core/definition.ts'
import { fakePage } from '../support/fake-page.ts'

it('tells of each change of the rows, and of no change that is none', async () => {
  const definitions = defineBins({ note: {} })
  const page = fakePage({ rows: memoryRows() })
  let told = 0
  const rows = await openKeptRows({
    page,
    definitions,
    reading: readingOf(page, definitions),
    onEvent: undefined,
    onStored() {
      told += 1
    },
    onMoved() {},
  })
  await rows.change('d/', () => new Map([['d/note', { v: 1 }]]))
  expect(told).toBe(1)
  await rows.change('d/', () => new Map())
  expect(told).toBe(1)
})
