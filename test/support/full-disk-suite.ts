import { expect, type it } from 'vitest'
import type { Store } from '../../src/server/store.ts'
import { LATER, NOW } from './open-store.ts'
import type { SmallDisk } from './small-disk.ts'

const TEXT = 'x'.repeat(10_000)

/** What must be true of a store whose disk is full. */
export function fullDiskSuite(test: typeof it, disk: SmallDisk, open: () => Store): void {
  test('rejects what has no room on a full disk, keeps what it has, and goes on when there is room', async () => {
    const store = open()
    await store.write('key', { version: 1, text: TEXT, expires: LATER }, 0, NOW)
    disk.fill()
    let version = 1
    const write = async () => {
      await store.write('key', { version: version + 1, text: TEXT, expires: LATER }, version, NOW)
      version += 1
    }
    await expect(writeUntilFull(write)).rejects.toThrow()
    expect(await store.read('key', { now: NOW })).toEqual({ version, text: TEXT, expires: LATER })
    await expect(write()).rejects.toThrow()
    disk.free()
    await write()
    expect(await store.read('key', { now: NOW })).toEqual({ version, text: TEXT, expires: LATER })
    await store.close?.()
    const again = open()
    expect(await again.read('key', { now: NOW })).toEqual({ version, text: TEXT, expires: LATER })
    await again.close?.()
  })
}

async function writeUntilFull(write: () => Promise<void>): Promise<void> {
  for (let turn = 0; turn < 1_000; turn += 1) await write()
}
