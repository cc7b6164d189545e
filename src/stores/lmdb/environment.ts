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
}

/** An environment that we opened ourselves. */
export interface OwnEnvironment extends LmdbEnvironment {
  close(): Promise<void>
}

interface LmdbOptions {
  readonly path: string
  readonly noSubdir: boolean
  readonly maxDbs: number
  readonly overlappingSync: boolean
  readonly eventTurnBatching: boolean
}

/**
 * Opens the environment in a directory, for this user alone.
 *
 * @throws TypeError if `lmdb` is not installed.
 */
export function openEnvironment(directory: string): OwnEnvironment {
  const { open } = loadLmdb()
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // With overlappingSync, its default, 1 of 4 runs of 50 processes on one environment saw a commit fail with MDB_BAD_TXN
  // (lmdb 3.5.6, Linux); without it, none did, and what is committed is on the disk. With eventTurnBatching, its default, a
  // commit that fails, as on a full disk, rejects a promise that nobody has, which ends the process (lmdb/write.js:213).
  return open({
    path: directory,
    noSubdir: false,
    maxDbs: 32,
    overlappingSync: false,
    eventTurnBatching: false,
  })
}

/** Runs changes in one transaction; when that is resolved, they are committed. */
export async function commit<Result>(environment: LmdbEnvironment, run: () => Result): Promise<Result> {
  try {
    return await environment.transaction(run)
  } catch (error) {
    // The reason is in a promise that nobody else handles.
    if (error instanceof Error && 'commitError' in error) Promise.resolve(error.commitError).catch(() => {})
    throw error
  }
}

/** Not an import: `lmdb` is needed where a path is passed, and nowhere else. */
function loadLmdb(): { open(options: LmdbOptions): OwnEnvironment } {
  try {
    return createRequire(import.meta.url)('lmdb')
  } catch (cause) {
    throw new TypeError('lmdbStore: install lmdb 3 to open a path: npm install lmdb', { cause })
  }
}
