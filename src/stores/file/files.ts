import {
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { open, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'

const isWindows = process.platform === 'win32'

/**
 * Opens a directory that only this user may read; creates it if need be.
 *
 * @throws TypeError if everybody may write there: they could put records of their own in it.
 */
export function openPrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // Windows has no such bits; Node makes them up.
  if (isWindows || (statSync(directory).mode & 0o002) === 0) return
  throw new TypeError(
    `${directory}: everybody may write there; pass a directory of your own, or chmod 700 it.`,
  )
}

/** Makes the names in a directory survive a power failure. */
export async function syncDirectory(directory: string): Promise<void> {
  // Windows opens no directories, and NTFS keeps its own journal of names.
  if (isWindows) return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes the files of a directory that were last written before a time, in ms since the Unix epoch. */
export async function removeOlder(directory: string, time: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    const stats = await stat(path).catch(ignoreMissing)
    if (stats && stats.mtimeMs < time) await unlink(path).catch(ignoreMissing)
  }
}

/** Names in a directory; none if it is not there. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    return ignoreMissing(error) ?? []
  }
}

/** A file's content as UTF-8; `undefined` if it is not there. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    return ignoreMissing(error)
  }
}

/**
 * Lets somebody look at a file's content in UTF-8, and ask whether another path is the same file at that moment.
 *
 * @returns What `look` returns; `undefined` if the file is not there.
 */
export function readOpened<Result>(
  path: string,
  look: (content: string, isAt: (other: string) => boolean) => Result,
): Result | undefined {
  const file = openIfThere(path)
  if (file === undefined) return undefined
  try {
    return look(readFileSync(file, 'utf8'), (other) => {
      const there = statSync(other, { throwIfNoEntry: false })
      return there !== undefined && there.ino === fstatSync(file).ino
    })
  } finally {
    closeSync(file)
  }
}

/** Whether there is a file. */
export function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Gives a file a second name; `false` if that is taken. The kernel lets one caller do it, in any process. */
export function linkIfFree(file: string, path: string): boolean {
  try {
    linkSync(file, path)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** Removes a name; `false` if it is not there. */
export function unlinkIfThere(path: string): boolean {
  try {
    unlinkSync(path)
    return true
  } catch (error) {
    return ignoreMissing(error) ?? false
  }
}

/** Passes over the failure that means that another process was faster; throws any other. */
export function ignoreMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error
}

function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    return ignoreMissing(error)
  }
}
