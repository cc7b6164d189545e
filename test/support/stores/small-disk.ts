import { spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'vitest'
import type { Account } from '../servers/program.ts'

/** A file system of 2 MB in memory. */
export interface SmallDisk {
  /** Where it is. */
  readonly path: string
  /** Makes a folder on it, which belongs to an account. */
  makeFolder(name: string, account: Account): string
  /** Takes all its space, but for the last few kilobytes. */
  fill(): void
  /** Gives the space back. */
  free(): void
  /** Lets nobody write to it, or everybody again. No file may be open for writing. */
  setReadOnly(isReadOnly: boolean): void
  /** Takes it away. */
  remove(): void
}

const BYTES = 2_000_000

/** Mounts a small disk. Where that is not allowed, a skipped test takes the place of those that need it. */
export function mountSmallDisk(): SmallDisk | undefined {
  const path = mkdtempSync(join(tmpdir(), 'breadbin-'))
  const filler = join(path, 'filler')
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${BYTES}`, 'tmpfs', path])
  if (status !== 0) {
    rmSync(path, { recursive: true })
    it.skip('needs a small disk: run the tests as root of a Linux that may mount one')
    return undefined
  }
  return {
    path,
    makeFolder(name, { uid, gid }) {
      const folder = join(path, name)
      mkdirSync(folder)
      if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid)
      return folder
    },
    fill() {
      for (let size = BYTES; size >= 4_096; size = Math.floor(size / 2)) {
        try {
          writeFileSync(filler, Buffer.alloc(size), { flag: 'a' })
        } catch {
          // There was no room for all of it, and what there was is taken.
        }
      }
    },
    free: () => rmSync(filler, { force: true }),
    setReadOnly(isReadOnly) {
      const { stderr, status } = spawnSync('mount', ['-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, path])
      if (status !== 0) throw new Error(String(stderr))
    },
    remove() {
      spawnSync('umount', [path])
      rmSync(path, { recursive: true })
    },
  }
}
