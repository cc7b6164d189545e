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

/** What is called of an environment of `lmdb`. */
export interface LmdbEnvironment {
  openDB(options: { name: string; encoding: 'string'; keyEncoding: 'binary' }): LmdbDatabase
  transaction<Result>(run: () => Result): Promise<Result>
  transactionSync<Result>(run: () => Result): Result
  resetReadTxn(): void
  readerCheck(): number
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
 * Opens an environment.
 *
 * @param path A directory, or, with `noSubdir`, a file; its locks are in another one, whose name ends in `-lock`.
 * @throws TypeError if `lmdb` is not installed.
 */
export function openLmdb(path: string, noSubdir: boolean): LmdbEnvironment {
  // Without overlappingSync, its default, what is committed is on the disk. With eventTurnBatching, its default, an error of
  // a transaction rejects a promise that nobody has, which ends the process (lmdb/write.js:213).
  const options = { noSubdir, maxDbs: 32, overlappingSync: false, eventTurnBatching: false }
  return loadLmdb().open({ path, ...options })
}

/** Not an import: a bundle of this store goes without `lmdb` where no store is opened. */
function loadLmdb(): { open(options: LmdbOptions): LmdbEnvironment } {
  try {
    return createRequire(import.meta.url)('lmdb')
  } catch (cause) {
    throw new TypeError('lmdbStore: install lmdb 3: npm install lmdb', { cause })
  }
}
