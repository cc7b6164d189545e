import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'

/** What is called of a database in an environment of `lmdb`. */
export interface LmdbDatabase {
  get(key: Uint8Array): unknown
  putSync(key: Uint8Array, value: string): void
  removeSync(key: Uint8Array): boolean
  getRange(options: {
    start?: Uint8Array
    end?: Uint8Array
    exclusiveStart?: boolean
    limit?: number
  }): Iterable<{
    key: Uint8Array
    value: unknown
  }>
}

/** What is called of an environment, as `open` of `lmdb` answers it. */
export interface LmdbEnvironment {
  openDB(options: { name: string; encoding: 'string'; keyEncoding: 'binary' }): LmdbDatabase
  transaction<Result>(run: () => Result): Promise<Result>
  resetReadTxn(): void
  readerCheck(): number
  readonly flushed: PromiseLike<unknown>
}

/** An environment that we opened ourselves. */
export interface OwnEnvironment extends LmdbEnvironment {
  close(): Promise<void>
}

/**
 * Opens the environment in a directory, for this user alone.
 *
 * @throws TypeError if `lmdb` is not installed.
 */
export function openEnvironment(directory: string): OwnEnvironment {
  const { open } = loadLmdb()
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return open({ path: directory, noSubdir: false, maxDbs: 32 })
}

/** Not an import: `lmdb` is needed where a path is passed, and nowhere else. */
function loadLmdb(): { open(options: { path: string; noSubdir: boolean; maxDbs: number }): OwnEnvironment } {
  try {
    return createRequire(import.meta.url)('lmdb')
  } catch (cause) {
    throw new TypeError('lmdbStore: install lmdb 3 to open a path: npm install lmdb', { cause })
  }
}
