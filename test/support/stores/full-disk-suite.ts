import { hash } from 'node:crypto'
import { expect, type it } from 'vitest'
import type { Store } from '../../../src/stores/store.ts'
import { LATER, NOW } from './open-store.ts'
import type { SmallDisk } from './small-disk.ts'

/** 10 KB that no database compresses. */
const TEXT = Array.from({ length: 160 }, (_, index) => hash('sha256', String(index))).join('')

/**
 * What must be true of a store whose disk is full.
 *
 * @param options.textLength Length of its texts, of characters of one byte; 10,240 by default, which is the most.
 */
export function fullDiskSuite(
  test: typeof it,
  disk: SmallDisk,
  open: () => Store,
  { textLength = TEXT.length }: { textLength?: number } = {},
): void {
  const entry = { version: 1, text: TEXT.slice(0, textLength), expires: LATER }

  test('rejects what has no room on a full disk, keeps what it has, and goes on when there is room', async () => {
    const store = open()
    let count = 0
    const create = async () => {
      expect(await store.write(`key ${count}`, entry, 0, NOW)).toBe(true)
      count += 1
    }
    const checkAll = async (kept: Store) => {
      for (let index = 0; index < count; index += 1) {
        expect(await kept.read(`key ${index}`, { now: NOW })).toEqual(entry)
      }
    }
    await create()
    disk.fill()
    const createAll = async () => {
      while (count < 1_000) await create()
    }
    await expect(createAll()).rejects.toThrow()
    await checkAll(store)
    await expect(create()).rejects.toThrow()
    disk.free()
    await create()
    expect(await store.write('key 0', { ...entry, version: 2 }, 1, NOW)).toBe(true)
    expect(await store.write('key 0', { ...entry, version: 3 }, 1, NOW)).toBe(false)
    expect(await store.delete('key 0', 2)).toBe(true)
    expect(await store.write('key 0', entry, 0, NOW)).toBe(true)
    await store.close?.()
    const again = open()
    await checkAll(again)
    await again.close?.()
  })
}
