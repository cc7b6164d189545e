import { statSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { afterAll, describe, expect, it } from 'vitest'
import { lmdbStore } from '../../src/stores/lmdb.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { fullDiskSuite } from '../support/full-disk-suite.ts'
import { LATER, NOW, temporaryFolders } from '../support/open-store.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { exitSuite, processSuite } from '../support/store-processes.ts'

const folders = temporaryFolders()
const disk = mountSmallDisk()
const safely = { overlappingSync: false, eventTurnBatching: false }
const entry = { version: 1, text: 'text', expires: LATER }

afterAll(() => {
  folders.remove()
  disk?.remove()
})

describe('lmdbStore of a directory', () => {
  storeSuite(it, { open: () => lmdbStore(folders.make()) })
  processSuite(it, 'lmdb', folders.make, { kills: 100 })
  exitSuite(it, 'lmdb', folders.make)
  if (disk) fullDiskSuite(it, disk, () => lmdbStore(join(disk.path, 'lmdb')))

  it('is durable, and has every optional power', async () => {
    const store = lmdbStore(folders.make())
    const powers = { versions: expect.any(Function), scan: expect.any(Function) }
    expect(store).toMatchObject({ durable: true, ...powers })
    await store.close?.()
  })

  it('lets nobody else read its files', async () => {
    const directory = join(folders.make(), 'new', 'lmdb')
    const store = lmdbStore(directory)
    expect((statSync(directory).mode & 0o777).toString(8)).toBe('700')
    await store.close?.()
  })

  it('finds what an earlier store has written', async () => {
    const directory = folders.make()
    const first = lmdbStore(directory)
    await first.write('key', entry, 0, NOW)
    await first.close?.()
    const second = lmdbStore(directory)
    expect(await second.read('key', { now: NOW })).toEqual(entry)
    await second.close?.()
  })

  it('sees at once what another store has written', async () => {
    const directory = folders.make()
    const [one, other] = [lmdbStore(directory), lmdbStore(directory)]
    for (let version = 1; version <= 50; version += 1) {
      await one.write('key', { ...entry, version }, version - 1, NOW)
      expect(await other.read('key', { now: NOW })).toMatchObject({ version })
    }
    await one.close?.()
    await other.close?.()
  })
})

describe('lmdbStore of an environment that was handed in', () => {
  it('leaves it open', async () => {
    const environment = open({ path: folders.make(), ...safely })
    const store = lmdbStore(environment)
    await store.write('key', entry, 0, NOW)
    await store.close?.()
    const again = lmdbStore(environment)
    expect(await again.read('key', { now: NOW })).toEqual(entry)
    await environment.close()
  })

  it('reads one that is read-only, and does not write it', async () => {
    const path = folders.make()
    const written = open({ path, ...safely })
    await lmdbStore(written).write('key', entry, 0, NOW)
    const environment = open({ path, readOnly: true })
    const store = lmdbStore(environment)
    expect(await store.read('key', { now: NOW })).toEqual(entry)
    await expect(store.write('key', { ...entry, version: 2 }, 1, NOW)).rejects.toThrow()
    await expect(store.write('other', entry, 0, NOW)).rejects.toThrow()
    await environment.close()
    await written.close()
  })

  it('goes on beyond the size that its map had', async () => {
    const environment = open({ path: folders.make(), mapSize: 200_000, ...safely })
    const store = lmdbStore(environment)
    const text = 'x'.repeat(10_000)
    for (let index = 0; index < 60; index += 1) {
      expect(await store.write(`key ${index}`, { ...entry, text }, 0, NOW)).toBe(true)
    }
    await environment.close()
  })

  it('keeps names apart, and writes what others can read', async () => {
    const environment = open({ path: folders.make(), ...safely })
    const [one, other] = [lmdbStore(environment), lmdbStore(environment, { name: 'other' })]
    await one.write('key', entry, 0, NOW)
    expect(await other.read('key', { now: NOW })).toBeUndefined()
    const database = environment.openDB({ name: 'breadbin', encoding: 'string', keyEncoding: 'binary' })
    expect(database.get(Buffer.from('key'))).toBe(`1 ${LATER}\ntext`)
    await environment.close()
  })
})
