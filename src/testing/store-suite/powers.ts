import assert from 'node:assert/strict'
import type { Store, Stored } from '../../stores/store.ts'
import { assertKept, create, entry, LATER, NOW, type StoreCases } from './case.ts'

/** What a store may leave out, and keeps to where it has it. */
export const powerCases: StoreCases = {
  'tells the versions of those keys that are there': async (store) => {
    if (!store.versions) return
    await create(store, 'one', entry(1))
    await create(store, '__proto__', entry(2))
    await create(store, 'expired', entry(3, '', NOW + 1))
    await create(store, 'deleted', entry(4))
    await store.delete('deleted')
    const keys = ['one', '__proto__', 'expired', 'deleted', 'missing', 'one']
    const versions = await store.versions(keys, NOW + 1)
    assert.deepEqual([...versions].sort(), [
      ['__proto__', 2],
      ['one', 1],
    ])
    assert.deepEqual([...(await store.versions([], NOW))], [])
  },

  'tells 1,000 versions': async (store) => {
    if (!store.versions) return
    const keys = Array.from({ length: 1_000 }, (_, index) => `key ${index}`)
    await create(store, 'key 999', entry(7))
    assert.deepEqual([...(await store.versions(keys, NOW))], [['key 999', 7]])
  },

  'scans an empty store': async (store) => {
    if (!store.scan) return
    assert.deepEqual([...(await scanAll(store, 10))], [])
  },

  'scans every entry, page by page': async (store) => {
    if (!store.scan) return
    const keys = [...Array.from({ length: 23 }, (_, index) => `key ${index}`), '__proto__', 'é', '\0', 'a\0b']
    for (const [index, key] of keys.entries()) await create(store, key, entry(index + 1))
    await create(store, 'deleted', entry(1))
    await store.delete('deleted')
    for (const limit of [1, 2, 27, 100]) {
      const found = await scanAll(store, limit)
      assert.deepEqual([...found.keys()].sort(), [...keys].sort())
      for (const [index, key] of keys.entries()) assert.deepEqual(found.get(key), entry(index + 1))
    }
  },

  'scans what was there all the time while others come, go and are read': async (store) => {
    if (!store.scan) return
    for (let index = 0; index < 20; index += 1) await create(store, `stays ${index}`, entry(1))
    for (let index = 0; index < 20; index += 1) await create(store, `goes ${index}`, entry(1))
    let turn = 0
    const found = await scanAll(store, 3, async () => {
      await store.delete(`goes ${turn}`)
      await create(store, `comes ${turn}`, entry(1))
      await assertKept(store, `stays ${turn % 20}`, entry(1))
      turn += 1
    })
    for (let index = 0; index < 20; index += 1) assert.ok(found.has(`stays ${index}`), `stays ${index}`)
  },

  'rejects with CLOSED once it is closed': async (store, limits) => {
    if (!store.close) return
    await create(store, 'key', entry(1))
    await store.close()
    const closed = { name: 'BinsError', code: 'CLOSED' }
    await assert.rejects(async () => store.read('key', { now: NOW }), closed)
    await assert.rejects(async () => store.write('key', entry(2), 1, NOW), closed)
    await assert.rejects(async () => store.delete('key'), closed)
    await assert.rejects(async () => store.sweep(LATER + limits.sweepDelayMs, 1), closed)
    await assert.rejects(async () => store.versions?.(['key'], NOW) ?? Promise.reject(closed), closed)
    await assert.rejects(async () => store.scan?.(undefined, 1) ?? Promise.reject(closed), closed)
  },

  'can be closed twice': async (store) => {
    await store.close?.()
    await store.close?.()
  },
}

/**
 * All entries, page by page; `between` runs after each of the first 20 pages but the last. Systems that scan by buckets
 * answer some entries more than they are asked for.
 */
async function scanAll(
  store: Store,
  limit: number,
  between?: () => Promise<void>,
): Promise<Map<string, Stored>> {
  const found = new Map<string, Stored>()
  let cursor: string | undefined
  for (let pages = 0; pages < 1_000; pages += 1) {
    const page = await store.scan?.(cursor, limit)
    assert.ok(page && page.entries.length <= limit + 100)
    for (const [key, stored] of page.entries) found.set(key, stored)
    cursor = page.cursor
    if (cursor === undefined) return found
    if (pages < 20) await between?.()
  }
  assert.fail('the scan does not end')
}
