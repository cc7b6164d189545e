import { describe, expect, it } from 'vitest'
import { createRecord } from '../../../src/core/record.ts'
import { migrate } from '../../../src/server/migration/migrate.ts'
import { movingStore } from '../../../src/server/migration/moving-store.ts'
import { openRecords } from '../../../src/server/records.ts'
import type { Store } from '../../../src/server/store.ts'
import { openWatches } from '../../../src/server/watches.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { storeSuite } from '../../../src/testing/store-suite.ts'
import { LATER, NOW } from '../../support/open-store.ts'
import { restless } from '../../support/restless.ts'

const KEYS = Array.from({ length: 10 }, (_, index) => `key ${index}`)
const entry = (version: number, text = `text ${version}`) => ({ version, text, expires: LATER })
const isFresh = { now: NOW, fresh: true }
const clock = () => NOW

describe('movingStore before anything moves', () => {
  storeSuite(it, { open: () => movingStore(memoryStore(), memoryStore()) })

  it('is the old store', async () => {
    const [from, to] = [memoryStore(), faultyStore(memoryStore())]
    const store = movingStore(from, to)
    await store.write('key', entry(1), 0, NOW)
    await store.write('key', entry(2), 1, NOW)
    expect(await from.read('key', isFresh)).toEqual(entry(2))
    expect(await to.read('key', isFresh)).toBeUndefined()
    expect(to.calls).not.toContain('write')
  })
})

describe('movingStore that moves', () => {
  storeSuite(it, { open: () => movingStore(memoryStore(), memoryStore(), { move: true }) })
  storeSuite((name, run) => it(`${name}, taking random time`, run), {
    open: () => movingStore(restless(memoryStore()), restless(memoryStore()), { move: true }),
  })

  it('moves an entry when it is written, and leaves the others', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    for (const key of ['a', 'b']) await from.write(key, entry(1), 0, NOW)
    const store = movingStore(from, to, { move: true })
    expect(await store.write('a', entry(2), 1, NOW)).toBe(true)
    expect(await to.read('a', isFresh)).toEqual(entry(2))
    expect(await to.read('b', isFresh)).toBeUndefined()
    expect(await store.read('b', { now: NOW })).toEqual(entry(1))
  })

  it('deletes an entry in both stores', async () => {
    for (const move of [true, false]) {
      const [from, to] = [memoryStore(), memoryStore()]
      const store = movingStore(from, to, { move })
      await from.write('key', entry(1), 0, NOW)
      // Left by a process that was killed while it moved it.
      await to.write('key', entry(1), 0, NOW)
      expect(await store.delete('key', 2)).toBe(false)
      expect(await store.delete('key', 1)).toBe(true)
      expect(await store.read('key', isFresh)).toBeUndefined()
    }
  })

  it('loses nothing when it is stopped after any call, and nothing comes back', async () => {
    for (let failOn = 1; failOn <= 10; failOn += 1) {
      for (const lost of ['request', 'answer'] as const) {
        for (const isOldFaulty of [true, false]) {
          const [from, to] = [memoryStore(), memoryStore()]
          await from.write('key', entry(1), 0, NOW)
          const fault = { failOn, lost }
          const broken = isOldFaulty
            ? movingStore(faultyStore(from, fault), to, { move: true })
            : movingStore(from, faultyStore(to, fault), { move: true })
          const isWritten = await broken.write('key', entry(2), 1, NOW).catch(() => undefined)
          const store = movingStore(from, to, { move: true })
          const found = await store.read('key', isFresh)
          if (isWritten) expect(found).toEqual(entry(2))
          else expect([entry(1), entry(2)]).toContainEqual(found)
          expect(await store.write('key', entry(3), found?.version ?? 0, NOW)).toBe(true)
          expect(await store.delete('key', 3)).toBe(true)
          expect(await store.read('key', isFresh)).toBeUndefined()
        }
      }
    }
  })
})

describe('a site that moves', () => {
  it.each([false, true])('finds out what another process has written, with move: %s', async (move) => {
    const [from, to] = [memoryStore(), memoryStore()]
    const open = () =>
      openRecords(movingStore(from, to, { move }), { clock, casMs: 1_000, storeMs: 1_000, random: () => 0 })
    const touch = (record = createRecord({ epoch: 'epoch', mark: 'mark', now: NOW })) => ({
      next: { ...record, seq: record.seq + 1 },
      result: undefined,
    })
    const [mine, theirs] = [open(), open()]
    await mine.change('key', touch)
    let moves = 0
    const watches = openWatches({
      stores: ['default'],
      records: () => mine,
      onCheck() {},
      timer: () => () => {},
      fraction: () => 0,
    })
    const watch = await watches.open('key', () => {
      moves += 1
    })
    await theirs.change('key', touch)
    watches.check()
    await expect.poll(() => moves).toBe(1)
    watch.stop()
  })

  it('counts exactly while old and new processes write and entries are moved', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const waiting = movingStore(restless(from), restless(to))
    const moving = movingStore(restless(from), restless(to), { move: true })
    const write = async (store: Store, start: number) => {
      for (let turn = 0; turn < 50; turn += 1)
        await increment(store, KEYS[(start + turn) % KEYS.length] ?? '')
    }
    const writers = [waiting, moving, waiting, moving, waiting, moving].map(write)
    for (let round = 0; round < 5; round += 1) {
      await migrate(restless(from), restless(to), { move: true, clock, pageSize: 3 })
    }
    await Promise.all(writers)
    while ((await migrate(from, to, { move: true, clock })).late > 0) {}
    let sum = 0
    for (const key of KEYS) sum += Number((await to.read(key, isFresh))?.text)
    expect(sum).toBe(300)
  })

  it('brings nothing back that was deleted while it was moved', async () => {
    for (let round = 0; round < 50; round += 1) {
      const [from, to] = [memoryStore(), memoryStore()]
      await from.write('key', entry(1), 0, NOW)
      const stores = [
        movingStore(restless(from), restless(to)),
        movingStore(restless(from), restless(to), { move: true }),
      ]
      await Promise.all([
        migrate(restless(from), restless(to), { move: true, clock }),
        stores[round % 2]?.delete('key'),
      ])
      for (const store of stores) expect(await store.read('key', isFresh)).toBeUndefined()
    }
  })
})

async function increment(store: Store, key: string): Promise<void> {
  for (;;) {
    const found = await store.read(key, isFresh)
    const version = found?.version ?? 0
    const next = entry(version + 1, String(Number(found?.text ?? 0) + 1))
    if (await store.write(key, next, version, NOW)) return
  }
}
