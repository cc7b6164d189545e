import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { LATER, NOW } from '../support/stores/open-store.ts'

const TEXT = 'x'.repeat(1_000)

describe('memoryStore', () => {
  storeSuite(it, { open: () => memoryStore() })

  it('is not durable', () => {
    expect(memoryStore().durable).toBe(false)
  })

  it('has every optional power', () => {
    expect(memoryStore()).toMatchObject({ versions: expect.any(Function), scan: expect.any(Function) })
  })

  it('drops the least recently used entry when it is full', async () => {
    const store = memoryStore({ maxBytes: 10_000 })
    for (const key of ['a', 'b', 'c', 'd']) await store.write(key, entry(1), 0, NOW)
    await store.read('a', { now: NOW })
    await store.write('e', entry(1), 0, NOW)
    await store.write('c', entry(2), 1, NOW)
    await store.write('f', entry(1), 0, NOW)
    const versions = await store.versions?.(['a', 'b', 'c', 'd', 'e', 'f'], NOW)
    expect([...(versions ?? [])]).toEqual([
      ['a', 1],
      ['c', 2],
      ['e', 1],
      ['f', 1],
    ])
  })

  it('keeps to its bytes however often entries are written, deleted and swept', async () => {
    const store = memoryStore({ maxBytes: 10_000 })
    for (let round = 0; round < 50; round += 1) {
      await store.write('a', entry(round + 1), round, NOW)
      await store.write('b', entry(round + 1), 0, NOW)
      await store.delete('b')
      await store.write('c', { ...entry(round + 1), expires: NOW + 1 }, 0, NOW)
      await store.sweep(NOW + 1, 10)
    }
    for (const key of ['b', 'c', 'd']) await store.write(key, entry(99), 0, NOW)
    expect((await store.versions?.(['a', 'b', 'c', 'd'], NOW))?.size).toBe(4)
  })

  it('looks at ten entries for each that a sweep may delete, and goes on behind them', async () => {
    const store = memoryStore()
    for (let index = 0; index < 40; index += 1) await store.write(`${index}`, entry(1), 0, NOW)
    await store.write('expired', { ...entry(1), expires: NOW + 1 }, 0, NOW)
    const swept = []
    for (let call = 0; call < 5; call += 1) swept.push(await store.sweep(NOW + 1, 1))
    expect(swept).toEqual([0, 0, 0, 0, 1])
    await store.write('expired', { ...entry(1), expires: NOW + 1 }, 0, NOW)
    expect(await store.sweep(NOW + 1, 10)).toBe(1)
  })

  it('sweeps what has expired however much is read and written meanwhile', async () => {
    const store = memoryStore()
    const live = Array.from({ length: 40 }, (_, index) => `${index}`)
    for (const key of live) await store.write(key, entry(1), 0, NOW)
    let swept = 0
    for (let round = 0; round < 100; round += 1) {
      await store.write(`expired ${round}`, { ...entry(1), expires: NOW + 1 }, 0, NOW)
      for (const key of live) await store.read(key, { now: NOW })
      swept += await store.sweep(NOW + 1, 1)
      swept += await store.sweep(NOW + 1, 1)
    }
    expect(swept).toBeGreaterThan(80)
  })

  it('refuses an entry that alone is too large, and keeps what is there', async () => {
    const store = memoryStore({ maxBytes: 10_000 })
    await store.write('a', entry(1), 0, NOW)
    const large = { ...entry(2), text: 'x'.repeat(10_000) }
    await expect(store.write('a', large, 1, NOW)).rejects.toMatchObject({ code: 'TOO_LARGE' })
    expect(await store.read('a', { now: NOW })).toEqual(entry(1))
  })

  it('refuses a maxBytes that is not above 0', () => {
    for (const maxBytes of [0, -1, Number.NaN]) expect(() => memoryStore({ maxBytes })).toThrow(TypeError)
  })
})

function entry(version: number) {
  return { version, text: TEXT, expires: LATER }
}
