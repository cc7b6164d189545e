import fs, { copyFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { extname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { fileStore } from '../../../src/stores/file.ts'
import { filesIn } from '../../support/files-in.ts'
import { LATER, NOW, temporaryFolders } from '../../support/stores/open-store.ts'
import { runProcesses, runProcessSync, type Task } from '../../support/stores/store-processes.ts'

const folders = temporaryFolders()
const { linkSync, readdirSync, readFileSync, statSync } = fs
const { rename, unlink, writeFile } = fs.promises

afterEach(() => {
  replaceLink(linkSync)
  replace(fs, 'statSync', statSync)
  replace(fs, 'readdirSync', readdirSync)
  replace(fs, 'readFileSync', readFileSync)
  replace(fs.promises, 'rename', rename)
  replace(fs.promises, 'unlink', unlink)
  replace(fs.promises, 'writeFile', writeFile)
})
afterAll(() => folders.remove())

describe('the slots of a fileStore', () => {
  it('counts to 80 in 8 processes whose links and unlinks take pauses', { timeout: 60_000 }, async () => {
    const folder = folders.make()
    await runProcesses('file', folder, { task: 'increment', key: 'counter', times: 10, slow: true }, 8)
    const stored = await fileStore(join(folder, 'files')).read('counter', { now: NOW })
    expect(stored?.text).toBe('80')
  })

  it('removes old slots lowest first', async () => {
    const { directory, store } = await openWithEntry()
    await store.write('key', entry(2), 1, NOW)
    // As a writer leaves it that is killed after its link.
    const [second = ''] = slotsIn(directory)
    copyFileSync(join(directory, second), join(directory, second.replace(/2$/, '1')))
    const removed: string[] = []
    replace(fs.promises, 'unlink', async (path) => {
      removed.push(extname(String(path)))
      await unlink(path)
    })
    await store.write('key', entry(3), 2, NOW)
    expect(removed.slice(-2)).toEqual(['.1', '.2'])
  })

  it('reads the highest slot where a killed writer has left two', async () => {
    const { directory, store } = await openWithEntry()
    for (let version = 2; version <= 10; version += 1)
      await store.write('key', entry(version), version - 1, NOW)
    const [tenth = ''] = slotsIn(directory)
    writeFileSync(join(directory, tenth.replace(/10$/, '9')), 'damaged')
    expect(await store.read('key', { now: NOW })).toEqual(entry(10))
    expect(await store.write('key', entry(11), 10, NOW)).toBe(true)
    expect(slotsIn(directory)).toEqual([tenth.replace(/10$/, '11')])
  })

  it.each(['with', 'without'] as const)(
    'never reads the slot of a late writer, %s the plain name',
    async (plain) => {
      const { folder, directory, store } = await openWithEntry()
      const [first = ''] = slotsIn(directory)
      if (plain === 'without') unlinkSync(join(directory, plainOf(first)))
      interruptRead(() => {
        runProcessSync('file', folder, { task: 'write', key: 'key', times: 2 })
        writeFileSync(join(directory, first), LATE)
      })
      expect(await store.read('key', { now: NOW })).toEqual({ ...entry(3), text: 'other 3' })
    },
  )

  it('reads a record without a look at others', async () => {
    const { store } = await openWithEntry()
    await store.write('key', entry(2), 1, NOW)
    replace(fs, 'readdirSync', () => {
      throw new Error('listed')
    })
    expect(await store.read('key', { now: NOW })).toEqual(entry(2))
  })

  it('reads the highest slot where a writer was killed before it exposed it', async () => {
    const { store } = await openWithKilled()
    expect(await store.read('key', { now: NOW })).toEqual(entry(2))
  })

  it('reads nothing older than what was there when it began', async () => {
    const { folder, store } = await openWithKilled()
    // Between the two questions that a reader asks.
    const interrupted = ((...call: Parameters<typeof statSync>) => {
      replace(fs, 'statSync', statSync)
      const stats = statSync(...call)
      runProcessSync('file', folder, { task: 'write', key: 'key', times: 1 })
      return stats
    }) as typeof statSync
    replace(fs, 'statSync', interrupted)
    expect((await store.read('key', { now: NOW }))?.version).toBeGreaterThanOrEqual(2)
  })

  it('reads the highest slot where a late writer has exposed one that was replaced', async () => {
    const { folder, store } = await openWithEntry()
    replace(fs.promises, 'rename', async (...call) => {
      runProcessSync('file', folder, { task: 'write', key: 'key', times: 2 })
      await rename(...call)
    })
    expect(await store.write('key', { ...entry(2), text: 'mine' }, 1, NOW)).toBe(true)
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(4), text: 'other 4' })
  })

  it('reads the highest slot also where somebody has made further names of the files', async () => {
    const { directory, folder, store } = await openWithEntry()
    replace(fs.promises, 'rename', async (...call) => {
      runProcessSync('file', folder, { task: 'write', key: 'key', times: 2 })
      await rename(...call)
    })
    await store.write('key', { ...entry(2), text: 'mine' }, 1, NOW)
    replace(fs.promises, 'rename', rename)
    const backup = folders.make()
    for (const [index, file] of filesIn(directory).entries()) {
      linkSync(join(directory, file), join(backup, String(index)))
    }
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(4), text: 'other 4' })
    expect(await store.write('key', entry(5), 4, NOW)).toBe(true)
    expect(await store.read('key', { now: NOW })).toEqual(entry(5))
  })

  it('writes what it cannot expose', async () => {
    const { directory, store } = await openWithEntry()
    replace(fs.promises, 'rename', async () => {
      throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    })
    expect(await store.write('key', entry(2), 1, NOW)).toBe(true)
    expect(await store.read('key', { now: NOW })).toEqual(entry(2))
    expect(filesIn(join(directory, 'temp'))).toEqual([])
  })

  it('flushes the file before it links and the directory after it unlinks', async () => {
    const { directory, store } = await openWithEntry()
    const handle = await fs.promises.open(directory)
    const prototype: typeof handle = Object.getPrototypeOf(handle)
    await handle.close()
    const { sync } = prototype
    const steps: string[] = []
    replaceLink((existing, path) => {
      steps.push('link')
      linkSync(existing, path)
    })
    replace(fs.promises, 'unlink', async (path) => {
      steps.push(`unlink ${extname(String(path))}`)
      await unlink(path)
    })
    prototype.sync = async function () {
      steps.push((await this.stat()).isDirectory() ? 'sync directory' : 'sync file')
      await sync.call(this)
    }
    try {
      await store.write('key', entry(2), 1, NOW)
    } finally {
      prototype.sync = sync
    }
    const [, , temporary] = steps
    expect(steps).toEqual(['sync file', 'link', temporary, 'unlink .1', 'sync directory'])
  })

  it('does not remove what others create over a dead entry while it is swept', async () => {
    const folder = folders.make()
    const store = fileStore(join(folder, 'files'))
    const [longAgo, dead] = [NOW - 10 * 3_600_000, NOW - 5 * 3_600_000]
    await store.write('key', { ...entry(50), expires: dead }, 0, longAgo)
    interruptRead(() => {
      // The look that follows the reading still finds it dead.
      const interrupted = ((...call: Parameters<typeof readdirSync>) => {
        replace(fs, 'readdirSync', readdirSync)
        const names = readdirSync(...call)
        runProcessSync('file', folder, { task: 'write', key: 'key', times: 1 })
        return names
      }) as typeof readdirSync
      replace(fs, 'readdirSync', interrupted)
    })
    await store.sweep(NOW, 100)
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(1), text: 'other 1' })
  })

  it('leaves no file behind when a write fails', async () => {
    const directory = folders.make()
    const store = fileStore(directory)
    replaceLink(() => {
      throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    })
    await expect(store.write('key', entry(1), 0, NOW)).rejects.toThrow('disk full')
    expect(slotsIn(directory)).toEqual([])
  })
})

describe('a writer of a fileStore that sleeps while it links', () => {
  /** Lets another process act once, right before or after the next link in this one. */
  function interrupt(when: 'before' | 'after', folder: string, ...tasks: Task[]): void {
    replaceLink((existing, path) => {
      replaceLink(linkSync)
      if (when === 'after') linkSync(existing, path)
      for (const task of tasks) runProcessSync('file', folder, task)
      if (when === 'before') linkSync(existing, path)
    })
  }

  it('loses when others have made one step', async () => {
    const { folder, store } = await openWithEntry()
    interrupt('before', folder, { task: 'write', key: 'key', times: 1 })
    expect(await store.write('key', { ...entry(2), text: 'mine' }, 1, NOW)).toBe(false)
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(2), text: 'other 2' })
  })

  it('loses when others have made two steps and freed the name of the first', async () => {
    const { folder, directory, store } = await openWithEntry()
    interrupt('before', folder, { task: 'write', key: 'key', times: 2 })
    expect(await store.write('key', { ...entry(2), text: 'mine' }, 1, NOW)).toBe(false)
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(3), text: 'other 3' })
    expect(slotsIn(directory)).toHaveLength(1)
  })

  it('is not deceived by the slot of another late writer, who was killed', async () => {
    const { folder, directory, store } = await openWithEntry()
    replaceLink((existing, path) => {
      replaceLink(linkSync)
      runProcessSync('file', folder, { task: 'write', key: 'key', times: 2 })
      const third = slotsIn(directory).find((file) => file.endsWith('.3')) ?? ''
      writeFileSync(join(directory, third.replace(/3$/, '1')), LATE)
      linkSync(existing, path)
    })
    expect(await store.write('key', { ...entry(2), text: 'mine' }, 1, NOW)).toBe(false)
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(3), text: 'other 3' })
  })

  it('loses a creation when others have created and deleted', async () => {
    const folder = folders.make()
    const store = fileStore(join(folder, 'files'))
    const other = (task: Task['task']): Task => ({ task, key: 'key', times: 1 })
    interrupt('before', folder, other('write'), other('write'), other('delete'), other('write'))
    expect(await store.write('key', { ...entry(9), text: 'mine' }, 0, NOW)).toBe(false)
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(1), text: 'other 1' })
  })

  it('creates after others have created and deleted', async () => {
    const folder = folders.make()
    const store = fileStore(join(folder, 'files'))
    const other = (task: Task['task']): Task => ({ task, key: 'key', times: 1 })
    interrupt('before', folder, other('write'), other('delete'))
    expect(await store.write('key', { ...entry(9), text: 'mine' }, 0, NOW)).toBe(true)
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(9), text: 'mine' })
  })

  it('brings nothing back when others have deleted', async () => {
    const { folder, store } = await openWithEntry()
    const other = (task: Task['task']): Task => ({ task, key: 'key', times: 1 })
    interrupt('before', folder, other('write'), other('delete'))
    expect(await store.write('key', entry(2), 1, NOW)).toBe(false)
    expect(await store.read('key', { now: NOW })).toBeUndefined()
  })

  it('has won when others went on from its step', async () => {
    const { folder, store } = await openWithEntry()
    interrupt('after', folder, { task: 'write', key: 'key', times: 60 })
    expect(await store.write('key', { ...entry(2), text: 'mine' }, 1, NOW)).toBe(true)
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(62), text: 'other 62' })
  })

  it('has won when others went on from its step and deleted', async () => {
    const { folder, store } = await openWithEntry()
    interrupt('after', folder, { task: 'delete', key: 'key', times: 1 })
    expect(await store.write('key', entry(2), 1, NOW)).toBe(true)
    expect(await store.read('key', { now: NOW })).toBeUndefined()
  })

  it('does not guess when others have made too many steps to tell', async () => {
    for (const when of ['before', 'after'] as const) {
      const { folder, directory, store } = await openWithEntry()
      interrupt(when, folder, { task: 'write', key: 'key', times: 70 })
      await expect(store.write('key', entry(2), 1, NOW)).rejects.toMatchObject({ code: 'STORE_TIMEOUT' })
      expect((await store.read('key', { now: NOW }))?.text).toMatch(/^other 7[12]$/)
      expect(slotsIn(directory)).toHaveLength(1)
    }
  })

  it('does not even link when the key was swept and has come as far again', async () => {
    const { folder, directory, store } = await openWithEntry(50)
    replace(fs.promises, 'writeFile', async (...call) => {
      await writeFile(...call)
      for (const file of slotsIn(directory)) unlinkSync(join(directory, file))
      runProcessSync('file', folder, { task: 'write', key: 'key', times: 1 })
      replaceLink(() => {
        throw new Error('linked')
      })
    })
    expect(await store.write('key', { ...entry(51), text: 'mine' }, 50, NOW)).toBe(false)
    expect(await store.read('key', { now: NOW })).toEqual({ ...entry(1), text: 'other 1' })
  })

  it('brings nothing back when the key was deleted and swept', async () => {
    const { directory, store } = await openWithEntry()
    replaceLink((existing, path) => {
      replaceLink(linkSync)
      for (const file of slotsIn(directory)) unlinkSync(join(directory, file))
      linkSync(existing, path)
    })
    expect(await store.write('key', entry(2), 1, NOW)).toBe(false)
    expect(await store.read('key', { now: NOW })).toBeUndefined()
    expect(slotsIn(directory)).toEqual([])
  })
})

/** A slot of generation 1 that is not the one which was there. */
const LATE = '{"key":"key","version":9,"expires":null,"generation":1,"nonces":"latelate"}\nlate'

/** A store in which a writer was killed between its link and all that follows. */
async function openWithKilled() {
  const opened = await openWithEntry()
  const never = new Promise<never>(() => {})
  let isLinked = () => {}
  const linked = new Promise<void>((resolve) => {
    isLinked = resolve
  })
  replace(fs.promises, 'rename', () => {
    isLinked()
    return never
  })
  void opened.store.write('key', entry(2), 1, NOW)
  await linked
  replace(fs.promises, 'rename', rename)
  expect(slotsIn(opened.directory)).toHaveLength(2)
  return opened
}

function plainOf(slot: string): string {
  return slot.slice(0, slot.lastIndexOf('.'))
}

/** Paths of all names that have a generation. */
function slotsIn(directory: string): string[] {
  return filesIn(directory).filter((path) => /\.\d+$/.test(path))
}

async function openWithEntry(version = 1) {
  const folder = folders.make()
  const directory = join(folder, 'files')
  const store = fileStore(directory)
  await store.write('key', entry(version), 0, NOW)
  return { folder, directory, store }
}

function entry(version: number) {
  return { version, text: `text ${version}`, expires: LATER }
}

/** Puts something before a system call, here and in the modules that have imported it. */
function replace<Name extends keyof Target, Target>(target: Target, name: Name, value: Target[Name]): void {
  target[name] = value
  syncBuiltinESMExports()
}

function replaceLink(value: typeof linkSync): void {
  replace(fs, 'linkSync', value)
}

/** Lets something happen once, between the look for the highest slot and the end of its reading. */
function interruptRead(act: () => void): void {
  // One of the overloads is called, and it is called on with the same arguments.
  const interrupted = ((...call: Parameters<typeof readFileSync>) => {
    replace(fs, 'readFileSync', readFileSync)
    act()
    return readFileSync(...call)
  }) as typeof readFileSync
  replace(fs, 'readFileSync', interrupted)
}
