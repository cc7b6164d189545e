import { hash } from 'node:crypto'
import { mkdir, readdir, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BinsError } from '../../core/error.ts'
import {
  ignoreMissing,
  isThere,
  linkIfFree,
  namesIn,
  readIfThere,
  readOpened,
  syncDirectory,
  unlinkIfThere,
} from './files.ts'
import { parseSlot, type Slot } from './slot.ts'

/**
 * Slot files on disk: `<2 hex>/<2 hex>/<hash>.<generation>`, and beside it `<hash>`, a second name of the slot that was
 * made last, by which it is read without a look at the others. Two levels of 256 directories keep a million records at
 * 30 names each.
 *
 * What looks is synchronous: it is served from the page cache in some 10 µs, and the way through the thread pool takes
 * 40 times as long. Up to some 300 names, readdir is one system call under the directory's lock on Linux, so it cannot
 * miss a slot that is replaced meanwhile.
 */
export interface Shards {
  /** A slot; `undefined` if there is none of this generation. */
  read(name: string, generation: number): Slot | undefined
  /** The slot of the highest generation. */
  latest(name: string): Slot | undefined
  /** The generations that there are slots of, ascending. */
  generations(name: string): number[]
  /** Makes a place for a name that has no slots. */
  prepare(name: string): Promise<void>
  /** Makes a file a slot; `false` if there is one of this generation. */
  link(file: string, name: string, generation: number): boolean
  /** Moves the file of a slot that has certainly been made to the name without a generation: readers try that first. */
  expose(file: string, name: string): Promise<void>
  /** Removes the name without a generation. */
  hide(name: string): Promise<void>
  /** Removes a slot; `false` if it is not there. */
  unlink(name: string, generation: number): boolean
  /** The same in the thread pool: the journal of a busy disk may keep it for ms. */
  unlinkLater(name: string, generation: number): Promise<boolean>
  /** Removes the slots below a generation, **lowest first**: that one has gone means that all below it have. */
  unlinkBelow(name: string, generation: number): Promise<void>
  /** Makes what was linked and unlinked survive a power failure. */
  sync(name: string): Promise<void>
  /**
   * All names, ascending, from the one after `name` on; `''` = from the first. After those of each directory comes a name that
   * nothing has, since to look into one takes time, even if it is empty.
   */
  walk(name: string): AsyncGenerator<string>
}

/** How often a reader is overtaken by writers before it gives up: each time it was one whole step too slow. */
const MAX_TRIES = 100

/** Characters of what a key is called on disk. */
const HASH_LENGTH = 64

/** Comes after all digits of a hash. */
const END = '~'

/** What a key is called on disk. A digest has no case, no separators and one length, whatever the key has. */
export function hashKey(key: string): string {
  return hash('sha256', key)
}

/** The slot files in a directory. */
export function openShards(directory: string): Shards {
  const shardOf = (name: string): string => join(directory, name.slice(0, 2), name.slice(2, 4))
  const plainPathOf = (name: string): string => join(shardOf(name), name)
  const pathOf = (name: string, generation: number): string => `${plainPathOf(name)}.${generation}`

  function generations(name: string): number[] {
    const found: number[] = []
    for (const file of namesIn(shardOf(name))) {
      if (file.startsWith(`${name}.`)) found.push(Number(file.slice(name.length + 1)))
    }
    return found.sort((one, other) => one - other)
  }

  function read(name: string, generation: number): Slot | undefined {
    const path = pathOf(name, generation)
    const content = readIfThere(path)
    return content === undefined ? undefined : parse(content, path)
  }

  /**
   * The slot that has the name without a generation, if it is the highest; `undefined` if that is not certain. The order
   * of the two questions is what makes it so (docs/decisions/003-stores.md): a slot that is still there **after** the one
   * that follows it was not.
   */
  function exposed(name: string): Slot | undefined {
    const path = plainPathOf(name)
    return readOpened(path, (content, isAt) => {
      const slot = parse(content, path)
      const isHighest = !isThere(pathOf(name, slot.generation + 1)) && isAt(pathOf(name, slot.generation))
      return isHighest ? slot : undefined
    })
  }

  return {
    read,
    generations,

    latest(name) {
      const slot = exposed(name)
      if (slot) return slot
      let generation = generations(name).at(-1)
      for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
        if (generation === undefined) return undefined
        const slot = read(name, generation)
        // Once a slot has been replaced, a late writer may link another to its name for a moment.
        const highest = generations(name).at(-1)
        if (slot && highest === generation) return slot
        generation = highest
      }
      throw new BinsError(
        'STORE_TIMEOUT',
        'Others replaced the record faster than it could be read; try again.',
      )
    },

    async prepare(name) {
      const shard = shardOf(name)
      const created = await mkdir(shard, { recursive: true, mode: 0o700 })
      if (created === undefined) return
      await syncDirectory(directory)
      await syncDirectory(dirname(shard))
    },

    async expose(file, name) {
      // Nothing depends on that name: readers do without it, and the record is written.
      await rename(file, plainPathOf(name)).catch(() => {})
    },

    hide: (name) => unlink(plainPathOf(name)).catch(ignoreMissing),
    link: (file, name, generation) => linkIfFree(file, pathOf(name, generation)),
    unlink: (name, generation) => unlinkIfThere(pathOf(name, generation)),

    async unlinkLater(name, generation) {
      try {
        await unlink(pathOf(name, generation))
        return true
      } catch (error) {
        return ignoreMissing(error) ?? false
      }
    },

    async unlinkBelow(name, generation) {
      for (const lower of generations(name)) {
        if (lower < generation) await unlink(pathOf(name, lower)).catch(ignoreMissing)
      }
    },

    sync: (name) => syncDirectory(shardOf(name)),

    async *walk(after) {
      for (const first of await shardsIn(directory, after.slice(0, 2))) {
        const from = after.startsWith(first) ? after.slice(2, 4) : ''
        for (const second of await shardsIn(join(directory, first), from)) {
          const files = await readdir(join(directory, first, second))
          const names = new Set(files.map((file) => file.slice(0, HASH_LENGTH)))
          for (const name of [...names].sort()) if (name > after) yield name
          yield `${first}${second}${END}`
        }
      }
    },
  }
}

async function shardsIn(directory: string, from: string): Promise<string[]> {
  const names = await readdir(directory)
  return names.filter((name) => /^[\da-f]{2}$/.test(name) && name >= from).sort()
}

function parse(content: string, path: string): Slot {
  try {
    return parseSlot(content)
  } catch (cause) {
    // Not read as "not there": the next write would replace what a person may still repair.
    throw new BinsError('STORE_FAILED', `${path} is damaged; restore or remove it.`, { cause })
  }
}
