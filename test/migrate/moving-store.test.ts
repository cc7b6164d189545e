import { describe, expect, it } from 'vitest'
import { createRecord } from '../../src/core/sync/record.ts'
import { migrate } from '../../src/migrate/migrate.ts'
import { movingStore } from '../../src/migrate/moving-store.ts'
import { openWatches } from '../../src/server/live/watches.ts'
import { openRecords } from '../../src/server/records/records.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { Store } from '../../src/stores/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { increment } from '../../src/testing/store-suite/case.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { restless } from '../support/pages/restless.ts'
import { LATER, NOW } from '../support/stores/open-store.ts'

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

  it('deletes older copies too', async () => {
    for (const move of [true, false]) {
      for (const expected of [2, undefined]) {
        const [from, to] = [memoryStore(), memoryStore()]
        await from.write('key', entry(2), 0, NOW)
        // Left by a process that was killed while it moved the entry, before it was written again.
        await to.write('key', entry(1), 0, NOW)
        expect(await movingStore(from, to, { move }).delete('key', expected)).toBe(true)
        for (const store of [movingStore(from, to), movingStore(from, to, { move: true }), to]) {
          expect(await store.read('key', isFresh)).toBeUndefined()
        }
      }
    }
  })

  it('creates again what was deleted, with any version, and leaves nothing else in the new store', async () => {
    for (const version of [1, 2, 3, 9]) {
      const [from, to] = [memoryStore(), memoryStore()]
      const store = movingStore(from, to, { move: true })
      await store.write('key', entry(2, 'first'), 0, NOW)
      expect(await store.delete('key', 2)).toBe(true)
      expect(await to.scan?.(undefined, 10)).toMatchObject({ entries: [] })
      expect(await store.write('key', entry(version), 0, NOW)).toBe(true)
      expect(await store.read('key', isFresh)).toEqual(entry(version))
      expect(await movingStore(from, to).read('key', isFresh)).toEqual(entry(version))
    }
  })

  it('leaves nothing in the new store that is no record, wherever a deletion has stopped', async () => {
    for (let failOn = 1; failOn <= 4; failOn += 1) {
      for (const lost of ['request', 'answer'] as const) {
        for (const isOldFaulty of [true, false]) {
          const [from, to] = [memoryStore(), memoryStore()]
          const store = movingStore(from, to, { move: true })
          await store.write('key', entry(1), 0, NOW)
          const fault = { failOn, lost }
          const broken = isOldFaulty
            ? movingStore(faultyStore(from, fault), to, { move: true })
            : movingStore(from, faultyStore(to, fault), { move: true })
          await broken.delete('key', 1).catch(() => {})
          const found = await store.read('key', isFresh)
          expect([undefined, entry(1)]).toContainEqual(found)
          await migrate(from, to, { move: true, clock })
          expect(await to.read('key', isFresh)).toEqual(found)
          expect(await store.write('key', entry(5), found?.version ?? 0, NOW)).toBe(true)
          expect(await to.read('key', isFresh)).toEqual(entry(5))
        }
      }
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

describe('a late copy', () => {
  /** Moves an entry, and does something after it was read, and something else after it was copied. */
  async function moveSlowly(stores: { from: Store; to: Store }, beforeCopy: Step, afterCopy: Step) {
    const { from, to } = stores
    const steps = [beforeCopy, afterCopy]
    const slowFrom: Store = {
      ...from,
      async write(...args) {
        await steps.pop()?.()
        return from.write(...args)
      },
    }
    const slowTo: Store = {
      ...to,
      async write(...args) {
        await steps.shift()?.()
        return to.write(...args)
      },
    }
    await migrate(slowFrom, slowTo, { move: true, clock })
  }

  it.each([
    { deletes: 'a process that moves', isMoved: false, move: true },
    { deletes: 'a process that moves, after another has moved it', isMoved: true, move: true },
    { deletes: 'one that does not, after another has moved it', isMoved: true, move: false },
    { deletes: 'one that does not and has seen that others do', isMoved: false, move: false },
  ])('does not bring back what was deleted by $deletes', async ({ isMoved, move }) => {
    const [from, to] = [memoryStore(), memoryStore()]
    for (const key of ['key', 'other']) await from.write(key, entry(1), 0, NOW)
    const second = movingStore(from, to, { move: true })
    const store = move ? second : movingStore(from, to)
    await second.write('other', entry(2), 1, NOW)
    await store.read('other', isFresh)
    await moveSlowly(
      { from, to },
      async () => {
        if (isMoved) await migrate(from, to, { move: true, clock })
        expect(await store.delete('key', 1)).toBe(true)
      },
      async () => {
        for (const site of [store, second, movingStore(from, to)]) {
          expect(await site.read('key', isFresh)).toBeUndefined()
          expect(await site.delete('key')).toBe(false)
          expect(await site.write('key', entry(2), 1, NOW)).toBe(false)
        }
      },
    )
    for (const site of [store, second, to]) expect(await site.read('key', isFresh)).toBeUndefined()
  })

  it('is neither read nor written over by who has asked the old store before the deletion', async () => {
    for (const call of ['read', 'write'] as const) {
      const [from, to] = [memoryStore(), memoryStore()]
      await from.write('key', entry(1), 0, NOW)
      await migrate(from, to, { move: true, clock })
      const site = movingStore(from, to, { move: true })
      let isDeleted = false
      const slowTo: Store = {
        ...to,
        async [call](...args: never[]) {
          if (!isDeleted) {
            isDeleted = await site.delete('key', 1)
            await to.write('key', entry(1), 0, NOW)
          }
          return (to[call] as (...args: never[]) => unknown)(...args)
        },
      }
      const slow = movingStore(from, slowTo, { move: true })
      const answer = call === 'read' ? slow.read('key', isFresh) : slow.write('key', entry(2), 1, NOW)
      expect(await answer).toBe(call === 'read' ? undefined : false)
      expect(isDeleted).toBe(true)
      expect(await site.read('key', isFresh)).toBeUndefined()
    }
  })

  it('gives way to what is created after the deletion', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    await from.write('key', entry(1), 0, NOW)
    const store = movingStore(from, to, { move: true })
    await moveSlowly(
      { from, to },
      async () => void (await store.delete('key', 1)),
      async () => expect(await store.write('key', entry(5), 0, NOW)).toBe(true),
    )
    expect(await store.read('key', isFresh)).toEqual(entry(5))
    expect(await to.read('key', isFresh)).toEqual(entry(5))
  })
})

describe('the way back', () => {
  it.each([false, true])('creates again what was deleted in between, with move: %s', async (move) => {
    const [old, next] = [memoryStore(), memoryStore()]
    await old.write('key', entry(1), 0, NOW)
    await migrate(old, next, { move: true, clock })
    await next.delete('key', 1)
    const store = movingStore(next, old, { move })
    expect(await store.read('key', isFresh)).toBeUndefined()
    expect(await store.delete('key')).toBe(false)
    expect(await store.write('key', entry(3), 2, NOW)).toBe(false)
    expect(await store.write('key', entry(10), 0, NOW)).toBe(true)
    expect(await store.write('key', entry(11), 0, NOW)).toBe(false)
    expect(await store.read('key', isFresh)).toEqual(entry(10))
    await migrate(next, old, { move: true, clock })
    expect(await old.read('key', isFresh)).toEqual(entry(10))
  })
})

type Step = () => Promise<void>
