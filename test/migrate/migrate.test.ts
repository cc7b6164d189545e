import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type MigrationProgress, migrate } from '../../src/migrate/migrate.ts'
import { fileStore } from '../../src/stores/file.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import type { Store } from '../../src/stores/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { LATER, NOW, temporaryFolders } from '../support/stores/open-store.ts'

const folders = temporaryFolders()
const clock = () => NOW
const entry = (version: number, text = `text ${version}`, expires = LATER) => ({ version, text, expires })

afterAll(() => folders.remove())

async function openFilled(count: number, store: Store = memoryStore()): Promise<Store> {
  for (let index = 1; index <= count; index += 1) await store.write(`key ${index}`, entry(index), 0, NOW)
  return store
}

describe.each([{ move: false }, { move: true }])('migrate with %o', ({ move }) => {
  it('brings versions, texts and expiries from SQLite to files', async () => {
    const from = await openFilled(300, sqliteStore(join(folders.make(), 'bins.db')))
    await from.write('for ever', entry(7, 'text', Infinity), 0, NOW)
    const to = fileStore(folders.make())
    const result = await migrate(from, to, { move, clock })
    expect(result).toEqual({ count: 301, digest: expect.stringMatching(/^[\da-f]{64}$/), late: 0 })
    for (let index = 1; index <= 300; index += 1) {
      expect(await to.read(`key ${index}`, { now: NOW })).toEqual(entry(index))
    }
    expect(await to.read('for ever', { now: NOW })).toEqual(entry(7, 'text', Infinity))
    await from.close?.()
  })

  it('has the same digest for the same entries, and another for others', async () => {
    const digests = await Promise.all(
      [10, 10, 11].map(
        async (count) => (await migrate(await openFilled(count), memoryStore(), { move, clock })).digest,
      ),
    )
    expect(digests[0]).toBe(digests[1])
    expect(digests[0]).not.toBe(digests[2])
  })

  it('leaves what has expired', async () => {
    const from = await openFilled(2)
    await from.write('old', entry(1, 'old', NOW + 1), 0, NOW)
    const to = memoryStore()
    expect(await migrate(from, to, { move, clock: () => NOW + 1 })).toMatchObject({ count: 2 })
    expect(await to.read('old', { now: NOW })).toBeUndefined()
  })

  it('tells how far it is, and goes on from there', async () => {
    const from = await openFilled(25)
    const to = faultyStore(memoryStore())
    const told: MigrationProgress[] = []
    const stopped = migrate(from, to, {
      move,
      clock,
      pageSize: 10,
      onProgress(progress) {
        told.push(progress)
        if (told.length === 2) throw new Error('stopped')
      },
    })
    await expect(stopped).rejects.toThrow('stopped')
    expect(told.map(({ seen }) => seen)).toEqual([10, 20])
    const cursor = told[1]?.cursor
    const rest: number[] = []
    const result = await migrate(from, to, {
      move,
      clock,
      ...(cursor !== undefined && { cursor }),
      onProgress: ({ seen }) => rest.push(seen),
    })
    expect(rest).toEqual([5])
    expect(result.late).toBe(0)
    for (let index = 1; index <= 25; index += 1) {
      expect(await to.read(`key ${index}`, { now: NOW })).toEqual(entry(index))
    }
    expect(to.calls.filter((call) => call === 'write')).toHaveLength(25)
  })

  it('can be stopped by any failure and begun anew', async () => {
    for (let failOn = 1; failOn <= 20; failOn += 1) {
      for (const lost of ['request', 'answer'] as const) {
        const [from, to] = [await openFilled(3), memoryStore()]
        await migrate(faultyStore(from, { failOn, lost }), to, { move, clock }).catch(() => {})
        await migrate(from, faultyStore(to, { failOn, lost }), { move, clock }).catch(() => {})
        await migrate(from, to, { move, clock })
        for (let index = 1; index <= 3; index += 1) {
          expect(await to.read(`key ${index}`, { now: NOW })).toEqual(entry(index))
        }
      }
    }
  })

  it('keeps what is newer in the new store, and replaces what is older', async () => {
    const from = await openFilled(3)
    const to = memoryStore()
    await to.write('key 2', entry(1, 'older'), 0, NOW)
    await to.write('key 3', entry(9, 'newer'), 0, NOW)
    expect(await migrate(from, to, { move, clock })).toMatchObject({ count: 3 })
    expect(await to.read('key 2', { now: NOW })).toEqual(entry(2))
    expect(await to.read('key 3', { now: NOW })).toEqual(entry(9, 'newer'))
  })

  it('brings over what is written to the old store meanwhile', async () => {
    const from = await openFilled(3)
    const to = memoryStore()
    const result = await migrate(from, to, {
      move,
      clock,
      onProgress: () => void from.write('late', entry(5), 0, NOW),
    })
    expect(result.late).toBe(1)
    expect(await to.read('late', { now: NOW })).toEqual(entry(5))
  })

  it('rejects where the new store changes what it is given', async () => {
    const memory = memoryStore()
    const to: Store = {
      ...memory,
      write: (key, next, expected, now) =>
        memory.write(key, { ...next, text: next.text.slice(1) }, expected, now),
    }
    await expect(migrate(await openFilled(3), to, { move, clock })).rejects.toMatchObject({
      code: 'STORE_FAILED',
    })
  })

  it('rejects where the new store forgets what it is given', async () => {
    const to: Store = { ...memoryStore(), write: async () => true }
    await expect(migrate(await openFilled(3), to, { move, clock })).rejects.toMatchObject({
      code: 'STORE_FAILED',
    })
  })

  it('refuses a store that lists nothing', async () => {
    const { durable, read, write, delete: remove, sweep } = memoryStore()
    const from = { durable, read, write, delete: remove, sweep }
    await expect(migrate(from, memoryStore(), { move, clock })).rejects.toThrow(TypeError)
  })
})

describe('migrate', () => {
  it('leaves the old store as it is', async () => {
    const from = await openFilled(3)
    await migrate(from, memoryStore(), { clock })
    expect((await from.scan?.(undefined, 10))?.entries.map(([, { text }]) => text)).toEqual([
      'text 1',
      'text 2',
      'text 3',
    ])
  })

  it('brings everything back again', async () => {
    const [from, to] = [await openFilled(3), memoryStore()]
    await migrate(from, to, { move: true, clock })
    await to.write('key 1', entry(5), 1, NOW)
    await to.delete('key 3')
    expect(await migrate(to, from, { move: true, clock })).toMatchObject({ count: 2, late: 0 })
    expect(await from.read('key 1', { now: NOW })).toEqual(entry(5))
    expect(await from.read('key 2', { now: NOW })).toEqual(entry(2))
  })

  it.each([false, true])(
    'leaves nothing behind of the way there when it goes back, with move: %s',
    async (move) => {
      const [from, to] = [await openFilled(25), memoryStore()]
      await migrate(from, to, { move: true, clock })
      for (let index = 1; index <= 24; index += 1) await to.delete(`key ${index}`)
      expect(await migrate(to, from, { move, clock, pageSize: 10 })).toMatchObject({ count: 1, late: 0 })
      expect((await from.scan?.(undefined, 100))?.entries).toEqual([['key 25', entry(25)]])
      expect(await from.write('key 1', entry(30), 0, NOW)).toBe(true)
    },
  )
})
