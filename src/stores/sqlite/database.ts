import { closeSync, openSync } from 'node:fs'

/** A prepared statement, of `node:sqlite` or `better-sqlite3`. */
export interface SqliteStatement {
  /** Runs it and answers its first row. */
  get(...values: Array<string | number>): unknown
  /** Runs it and answers all its rows. */
  all(...values: Array<string | number>): unknown[]
  /** Runs it and answers how many rows it changed. */
  run(...values: Array<string | number>): { readonly changes: number | bigint }
}

/** What is called of a database: a `DatabaseSync` of `node:sqlite` and a `Database` of `better-sqlite3` have it. */
export interface SqliteDatabase {
  /** Runs SQL that has no result. */
  exec(sql: string): unknown
  /** Compiles a statement. */
  prepare(sql: string): SqliteStatement
}

/** A database that we opened ourselves. */
export interface OwnDatabase extends SqliteDatabase {
  /** Ends the connection. */
  close(): void
}

/** When a write counts as done: when the operating system has it, or when the disk has it. */
export type SqliteSync = 'normal' | 'full'

/** How long a statement waits while another process writes, in ms. */
const BUSY_TIMEOUT_MS = 5_000

/** How much of the file is read where the operating system has it in memory, in bytes: the most that SQLite takes. */
const MAPPED_BYTES = 2_147_418_112

/** More than processes that open a new file at once ever need. */
const WAL_ATTEMPTS = 20

/**
 * Opens a database file with `node:sqlite` for this user alone, in WAL mode: readers and the one writer do not wait
 * for each other.
 *
 * @throws TypeError if this Node has no `node:sqlite`.
 */
export function openDatabase(path: string, sync: SqliteSync): OwnDatabase {
  // Not an import: bundlers would follow it, and Node 20 would fail on it even where SQLite is not used.
  const sqlite: typeof import('node:sqlite') | undefined = process.getBuiltinModule('node:sqlite')
  if (!sqlite) {
    throw new TypeError(
      `Node ${process.versions.node} has no node:sqlite, it came with 22.13 and 24. Pass a better-sqlite3 database to sqliteStore, or use fileStore.`,
    )
  }
  // SQLite creates files that everybody may read; its -wal and -shm files take their mode from this one.
  if (isFile(path)) closeSync(openSync(path, 'a', 0o600))
  const database = new sqlite.DatabaseSync(path)
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
  enterWalMode(database)
  database.exec(`PRAGMA synchronous = ${sync}`)
  // What is not in SQLite's own 2 MB is read without a system call and a copy; writes go their usual way.
  database.exec(`PRAGMA mmap_size = ${MAPPED_BYTES}`)
  return database
}

/**
 * SQLite does not wait for the lock that it needs to enter WAL mode, it fails: processes that open a new file at once
 * would fail each other. Beginning to write does wait, and by then one of them has left the mode in the file.
 */
function enterWalMode(database: OwnDatabase, attempts = WAL_ATTEMPTS): void {
  try {
    database.exec('PRAGMA journal_mode = WAL')
  } catch (error) {
    if (attempts === 1) throw error
    database.exec('BEGIN IMMEDIATE; COMMIT')
    enterWalMode(database, attempts - 1)
  }
}

function isFile(path: string): boolean {
  return path !== ':memory:' && !path.startsWith('file:')
}
