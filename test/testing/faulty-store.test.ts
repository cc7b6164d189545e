import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { makeGate } from '../support/gate.ts'
import { LATER, NOW } from '../support/stores/open-store.ts'

const entry = { version: 1, text: 'text', expires: LATER }

describe('faultyStore', () => {
  storeSuite(it, { open: () => faultyStore(memoryStore()) })

  it('fails the call it is told to and no other', async () => {
    const store = faultyStore(memoryStore(), { failOn: 2 })
    expect(await store.read('key', { now: NOW })).toBeUndefined()
    await expect(store.write('key', entry, 0, NOW)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(await store.read('key', { now: NOW })).toBeUndefined()
    expect(store.calls).toEqual(['read', 'write', 'read'])
  })

  it('loses the answer of a call that has taken place', async () => {
    const store = faultyStore(memoryStore(), { failOn: 1, lost: 'answer' })
    await expect(store.write('key', entry, 0, NOW)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(await store.read('key', { now: NOW })).toEqual(entry)
  })

  it('rejects with the error it is given', async () => {
    const error = new Error('connection reset')
    await expect(faultyStore(memoryStore(), { failOn: 1, error }).sweep(NOW, 1)).rejects.toBe(error)
  })

  it('delays the request that it is told to', async () => {
    const { until, open } = makeGate()
    const store = faultyStore(memoryStore(), { delayOn: 1, until })
    const write = store.write('key', entry, 0, NOW)
    expect(await store.read('key', { now: NOW })).toBeUndefined()
    open()
    expect(await write).toBe(true)
    expect(await store.read('key', { now: NOW })).toEqual(entry)
  })

  it('delays the answer that it is told to', async () => {
    const { until, open } = makeGate()
    const store = faultyStore(memoryStore(), { delayOn: 1, until, held: 'answer' })
    const write = store.write('key', entry, 0, NOW)
    expect(await store.read('key', { now: NOW })).toEqual(entry)
    open()
    expect(await write).toBe(true)
  })

  it('has the optional powers of the store and no others', () => {
    const { durable, read, write, delete: remove, sweep } = memoryStore()
    expect(Object.keys(faultyStore({ durable, read, write, delete: remove, sweep }))).not.toContain('scan')
    expect(faultyStore(memoryStore())).toMatchObject({ scan: expect.any(Function) })
  })
})
