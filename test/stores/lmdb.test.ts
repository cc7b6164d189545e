import { mkdirSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { afterAll, describe, expect, it } from 'vitest'
import { lmdbStore } from '../../src/stores/lmdb.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { fullDiskSuite } from '../support/full-disk-suite.ts'
import { LATER, NOW, openStore, temporaryFolders } from '../support/open-store.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { exitSuite, processSuite, runProcesses } from '../support/store-processes.ts'

const folders = temporaryFolders()
const disk = mountSmallDisk()
const entry = { version: 1, text: 'text', expires: LATER }

afterAll(() => {
  folders.remove()
  disk?.remove()
})

describe('lmdbStore', () => {
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

  it('stays open until the last store of its directory is closed', async () => {
    const directory = folders.make()
    const [one, other] = [lmdbStore(directory), lmdbStore(join(directory, '.'))]
    await one.close?.()
    expect(await other.write('key', entry, 0, NOW)).toBe(true)
    await other.close?.()
    const later = lmdbStore(directory)
    expect(await later.read('key', { now: NOW })).toEqual(entry)
    await later.close?.()
  })

  it('refuses a directory that is being closed, and takes it afterwards', async () => {
    const directory = folders.make()
    const store = lmdbStore(directory)
    await store.write('key', entry, 0, NOW)
    const closing = store.close?.()
    expect(() => lmdbStore(directory)).toThrow('being closed')
    await closing
    const later = lmdbStore(directory)
    expect(await later.read('key', { now: NOW })).toEqual(entry)
    await later.close?.()
  })

  it('can be tried again where LMDB could not open it', async () => {
    const directory = folders.make()
    const inTheWay = join(directory, 'data.mdb')
    mkdirSync(inTheWay)
    expect(() => lmdbStore(directory)).toThrow()
    rmdirSync(inTheWay)
    const store = lmdbStore(directory)
    expect(await store.write('key', entry, 0, NOW)).toBe(true)
    await store.close?.()
  })

  it('keeps names apart, and opens another one while something is written', async () => {
    const directory = folders.make()
    const one = lmdbStore(directory)
    const writing = one.write('key', entry, 0, NOW)
    const other = lmdbStore(directory, { name: 'other' })
    expect(await writing).toBe(true)
    expect(await other.read('key', { now: NOW })).toBeUndefined()
    await one.close?.()
    await other.close?.()
  })

  it('writes what others can read', async () => {
    const directory = folders.make()
    const store = lmdbStore(directory)
    await store.write('key', entry, 0, NOW)
    await store.close?.()
    const environment = open({ path: directory, noSubdir: false, readOnly: true })
    const database = environment.openDB({ name: 'breadbin', encoding: 'string', keyEncoding: 'binary' })
    expect(database.get(Buffer.from('key'))).toBe(`1 ${LATER}\ntext`)
    await environment.close()
  })

  it('has room for more than its map has at first', async () => {
    const store = lmdbStore(folders.make())
    const text = 'x'.repeat(10_000)
    for (let index = 0; index < 60; index += 1)
      expect(await store.write(`key ${index}`, { ...entry, text }, 0, NOW)).toBe(true)
    await store.close?.()
  })

  it('loses nothing of a process that writes while others open and close it', {
    timeout: 120_000,
  }, async () => {
    const folder = folders.make()
    const key = 'counter'
    // Whoever closes it is not the last one: docs/stores.md says what happens then.
    const store = openStore('lmdb', folder)
    let isWriting = true
    const writing = runProcesses('lmdb', folder, { task: 'increment', key, times: 5_000 }, 1).finally(() => {
      isWriting = false
    })
    while (isWriting) await runProcesses('lmdb', folder, { task: 'reopen', key, times: 200 }, 4)
    await writing
    expect(await store.read(key, { now: NOW })).toMatchObject({ text: '5000' })
    await store.close?.()
  })
})
