import { describe, expect, it } from 'vitest'
import { openSweeper } from '../../../src/server/records/sweeper.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { makeGate } from '../../support/gate.ts'
import { openEvents } from '../../support/sites/requests.ts'
import { NOW } from '../../support/stores/open-store.ts'

describe('openSweeper', () => {
  it('sweeps after 50 to 99 writes, and every 50 from then on', async () => {
    for (const { start, writes } of [
      { start: 1_000, writes: 50 },
      { start: 1_049, writes: 99 },
    ]) {
      const store = faultyStore(memoryStore())
      const sweeper = openSweeper(store, { clock: () => start })
      await write(sweeper, writes - 1)
      expect(store.calls).toHaveLength(0)
      await write(sweeper, 1)
      expect(store.calls).toEqual(['sweep'])
      await write(sweeper, 49)
      expect(store.calls).toHaveLength(1)
      await write(sweeper, 1)
      expect(store.calls).toHaveLength(2)
    }
  })

  it('sweeps with each write as long as there is more', async () => {
    const store = faultyStore(memoryStore())
    for (let index = 0; index < 250; index += 1) {
      await store.write(`key ${index}`, { version: 1, text: '', expires: NOW }, 0, NOW - 1)
    }
    const sweeper = openSweeper(store, { clock: () => NOW })
    await write(sweeper, 60)
    expect(store.calls.filter((call) => call === 'sweep')).toHaveLength(3)
    expect(await store.scan?.(undefined, 300)).toEqual({ entries: [] })
  })

  it('reports a failure, and sweeps again later', async () => {
    const events = openEvents()
    const store = faultyStore(memoryStore(), { failOn: 1 })
    const sweeper = openSweeper(store, { clock: () => NOW, onEvent: events.onEvent })
    await write(sweeper, 200)
    expect(events.all).toMatchObject([{ type: 'store-failed', cause: { code: 'STORE_FAILED' } }])
    expect(store.calls.length).toBeGreaterThan(1)
  })

  it('makes one sweep at a time, waits for it at the end and makes no other', async () => {
    const { until, open } = makeGate()
    const store = faultyStore(memoryStore(), { delayOn: 1, until })
    const sweeper = openSweeper(store, { clock: () => NOW })
    await write(sweeper, 300)
    expect(store.calls).toEqual(['sweep'])
    let isClosed = false
    const closed = sweeper.close().then(() => {
      isClosed = true
    })
    await new Promise(setImmediate)
    expect(isClosed).toBe(false)
    open()
    await closed
    await write(sweeper, 300)
    expect(store.calls).toEqual(['sweep'])
  })
})

async function write(sweeper: { written(): void }, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    sweeper.written()
    await new Promise(setImmediate)
  }
}
