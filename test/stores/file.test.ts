import { chmodSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fileStore } from '../../src/stores/file.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { directoriesIn, filesIn } from '../support/files-in.ts'
import { fullDiskSuite } from '../support/stores/full-disk-suite.ts'
import { LATER, NOW, temporaryFolders } from '../support/stores/open-store.ts'
import { mountSmallDisk } from '../support/stores/small-disk.ts'
import { processSuite } from '../support/stores/store-processes.ts'

const HOUR = 3_600_000
const folders = temporaryFolders()
const disk = mountSmallDisk()

afterAll(() => {
  folders.remove()
  disk?.remove()
})

describe('fileStore', () => {
  storeSuite(it, { open: () => fileStore(folders.make()), sweepDelayMs: HOUR })
  processSuite(it, 'file', folders.make, { kills: 100 })
  if (disk) fullDiskSuite(it, disk, () => fileStore(join(disk.path, 'files')))

  it.runIf(disk)('reads from a disk that is read-only, and writes when it is not any more', async () => {
    const store = fileStore(join(String(disk?.path), 'read-only'))
    await store.write('key', entry(1), 0, NOW)
    disk?.setReadOnly(true)
    expect(await store.read('key', { now: NOW })).toEqual(entry(1))
    await expect(store.write('key', entry(2), 1, NOW)).rejects.toMatchObject({ code: 'EROFS' })
    await expect(store.delete('key')).rejects.toMatchObject({ code: 'EROFS' })
    disk?.setReadOnly(false)
    expect(await store.write('key', entry(2), 1, NOW)).toBe(true)
  })

  it('is durable', () => {
    expect(fileStore(folders.make()).durable).toBe(true)
  })

  it('has every optional power', () => {
    expect(fileStore(folders.make())).toMatchObject({
      versions: expect.any(Function),
      scan: expect.any(Function),
    })
  })

  it('lets nobody else read its files', async () => {
    const directory = join(folders.make(), 'new', 'files')
    await fileStore(directory).write('key', entry(1), 0, NOW)
    expect(modeOf(directory)).toBe('700')
    for (const path of directoriesIn(directory)) expect(modeOf(join(directory, path))).toBe('700')
    for (const path of filesIn(directory)) expect(modeOf(join(directory, path))).toBe('600')
  })

  it('refuses a directory in which everybody may write', () => {
    const directory = folders.make()
    chmodSync(directory, 0o777)
    expect(() => fileStore(directory)).toThrow(TypeError)
  })

  it('keeps one file of two names for a key, however often it is written', async () => {
    const directory = folders.make()
    const store = fileStore(directory)
    for (let version = 1; version <= 70; version += 1) {
      expect(await store.write('key', entry(version), version - 1, NOW)).toBe(true)
    }
    const [plain = '', slot = '', ...others] = filesIn(directory).sort()
    expect(plain).toMatch(/\/[\da-f]{64}$/)
    expect(slot).toBe(`${plain}.70`)
    expect(statSync(join(directory, plain)).ino).toBe(statSync(join(directory, slot)).ino)
    expect(others).toEqual([])
  })

  it('keeps a deletion for an hour and then nothing', async () => {
    const directory = folders.make()
    const store = fileStore(directory)
    await store.write('key', entry(1), 0, NOW)
    const before = Date.now()
    await store.delete('key')
    const after = Date.now()
    await store.sweep(before + HOUR - 1, 100)
    expect(filesIn(directory)).toHaveLength(2)
    await store.sweep(after + HOUR, 100)
    expect(filesIn(directory)).toEqual([])
  })

  it('shows nothing of a deletion to those whose clock is behind', async () => {
    const store = fileStore(folders.make())
    const now = Date.now() - 60_000
    await store.write('key', { ...entry(1), expires: now + HOUR }, 0, now)
    await store.delete('key')
    expect(await store.read('key', { now })).toBeUndefined()
    expect(await store.versions?.(['key'], now)).toEqual(new Map())
    expect(await store.write('key', { ...entry(2), expires: now + HOUR }, 0, now)).toBe(true)
  })

  it('does not sweep what expired less than an hour ago', async () => {
    const store = fileStore(folders.make())
    await store.write('key', entry(1), 0, NOW)
    expect(await store.sweep(LATER + HOUR - 1, 100)).toBe(0)
    expect(await store.sweep(LATER + HOUR, 100)).toBe(1)
  })

  it('looks at ten records or directories for each that a sweep may delete, and goes on behind them', async () => {
    const directory = folders.make()
    for (let index = 0; index < 40; index += 1) await fileStore(directory).write(`${index}`, entry(1), 0, NOW)
    let firsts = 0
    for (let round = 0; round < 20; round += 1) {
      const store = fileStore(directory)
      await store.write('expired', { ...entry(1), expires: NOW + 1 }, 0, NOW)
      const swept = []
      for (let call = 0; call < 9; call += 1) swept.push(await store.sweep(NOW + 2 * HOUR, 1))
      expect(swept.toSorted()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1])
      firsts += swept[0] ?? 0
    }
    // Each begins anywhere: that all 20 find it among the first fifth happens once in 10 ^ 13 runs.
    expect(firsts).toBeLessThan(20)
  })

  it('sweeps the others where a file is damaged, and says so', async () => {
    const directory = folders.make()
    const store = fileStore(directory)
    for (let index = 0; index < 20; index += 1) await store.write(`${index}`, entry(1), 0, NOW)
    const [seventh = ''] = filesIn(directory).filter((file) =>
      readFileSync(join(directory, file), 'utf8').startsWith('{"key":"7"'),
    )
    writeFileSync(join(directory, seventh), 'damaged')
    await expect(store.sweep(LATER + HOUR, 100)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    for (let index = 0; index < 20; index += 1) {
      if (index !== 7) expect(await store.read(`${index}`, { now: NOW })).toBeUndefined()
    }
  })

  it('stays where it is when the process goes to another directory', async () => {
    const home = process.cwd()
    process.chdir(folders.make())
    try {
      const store = fileStore('bins')
      await store.write('key', entry(1), 0, NOW)
      process.chdir(folders.make())
      expect(await store.read('key', { now: NOW })).toEqual(entry(1))
      expect(await store.write('key', entry(2), 1, NOW)).toBe(true)
      expect(filesIn('.')).toEqual([])
    } finally {
      process.chdir(home)
    }
  })

  it('sweeps what killed writers have left behind, once it is an hour old', async () => {
    const directory = folders.make()
    const store = fileStore(directory)
    writeFileSync(join(directory, 'temp', 'old'), 'half a rec')
    writeFileSync(join(directory, 'temp', 'young'), 'half a rec')
    const twoHoursAgo = new Date(Date.now() - 2 * HOUR)
    utimesSync(join(directory, 'temp', 'old'), twoHoursAgo, twoHoursAgo)
    await store.sweep(NOW, 100)
    expect(filesIn(directory)).toEqual(['temp/young'])
  })

  it('rejects with STORE_FAILED, and overwrites nothing, where a file is damaged', async () => {
    const directory = folders.make()
    const store = fileStore(directory)
    await store.write('key', entry(1), 0, NOW)
    for (const damage of [
      '',
      'rubbish',
      'null\n',
      '{}\n',
      '{"key":"key","version":1,"expires":"x","generation":1,"nonces":""}\n',
    ]) {
      writeFileSync(join(directory, String(filesIn(directory)[0])), damage)
      await expect(store.read('key', { now: NOW })).rejects.toMatchObject({ code: 'STORE_FAILED' })
      await expect(store.write('key', entry(2), 0, NOW)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    }
    expect(filesIn(directory)).toHaveLength(2)
  })
})

function entry(version: number) {
  return { version, text: `text ${version}`, expires: LATER }
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8)
}
