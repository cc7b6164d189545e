// @vitest-environment node
import { expect, it } from 'vitest'
import { openClearance } from '../../../src/client/replica/clear-marker.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'

it('keeps what is asked for while it is being read again', async () => {
  const rows = memoryRows()
  const clearance = await openClearance(rows)
  const reloading = clearance.reload()
  const asking = clearance.set('tag', 'asked')
  await Promise.all([reloading, asking])
  expect([clearance.tag, clearance.isPending]).toEqual(['tag', true])
  const next = await openClearance(rows)
  expect([next.tag, next.isPending]).toEqual(['tag', true])
})

it('follows what another page has asked for', async () => {
  const rows = memoryRows()
  const [one, other] = [await openClearance(rows), await openClearance(rows)]
  await one.set('tag', 'asked')
  await other.reload()
  expect([other.tag, other.isPending]).toEqual(['tag', true])
})
