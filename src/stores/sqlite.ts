import { BinsError } from '../core/error.ts'
import { checkWrite } from './shared/check-write.ts'
import { checkName } from './sql/layout.ts'
import { fromExpires, type Row, toStored, toText } from './sql/rows.ts'
import { openDatabase, type SqliteDatabase, type SqliteSync } from './sqlite/database.ts'
import { prepareStatements } from './sqlite/statements.ts'
import type { Store, Stored } from './store.ts'

export type { SqliteDatabase, SqliteStatement, SqliteSync } from './sqlite/database.ts'

/** Options of {@link sqliteStore}. */
export interface SqliteStoreOptions {
  /** Where the records are; created if it is not there. Letters, digits and `_`. Default `'breadbin'`. */
  readonly table?: string
  /**
   * When a write counts as done. `'normal'`: when the operating system has it, so it survives any end of the process,
   * `kill -9` included; a power failure may take back the last moments before it, never a part of a write. `'full'`:
   * when the disk has it. Default `'normal'`. Only with a path: a database that was handed in keeps its settings.
   */
  readonly sync?: SqliteSync
}

/**
 * Keeps records in SQLite, for any number of processes on one machine.
 *
 * A path opens the database with `node:sqlite`, for this user alone (0600), in WAL mode. A database that was handed in
 * is used as it is and never closed: set `PRAGMA busy_timeout = 5000` on it, and `PRAGMA journal_mode = WAL` once, where
 * the file is created (the mode stays in the file, and SQLite does not wait there for other processes that set it). Give
 * the store a connection of its own if you keep transactions open across an `await`: its statements would join them.
 *
 * SQLite is synchronous: while another process writes, a write here waits, for 5 s at most, and so does the event loop.
 *
 * @param database A path, `':memory:'`, or a database of `node:sqlite` or `better-sqlite3`.
 * @throws TypeError if a path is passed and this Node has no `node:sqlite`, which came with Node 22.13 and 24; and if a
 * database that was handed in is not in UTF-8.
 */
export function sqliteStore(
  database: string | SqliteDatabase,
  { table = 'breadbin', sync }: SqliteStoreOptions = {},
): Store {
  checkOptions(database, table, sync)
  const { connection, close } = connect(database, sync)
  const statements = prepareStatements(connection, table)
  let isOpen = true

  function assertOpen(): void {
    if (!isOpen) throw new BinsError('CLOSED', 'The SQLite store was closed.')
  }

  return {
    durable: isOnDisk(connection),

    async read(key, { now }) {
      assertOpen()
      const row = statements.read.get(key, now)
      return row ? fromRow(row) : undefined
    },

    async write(key, next, expected, now) {
      assertOpen()
      checkWrite(key, next, expected, now)
      const { version, text } = next
      const expires = fromExpires(next.expires)
      const { changes } =
        expected === 0
          ? statements.create.run(key, version, expires, text, now)
          : statements.update.run(version, expires, text, key, expected, now)
      return Number(changes) === 1
    },

    async delete(key, expected) {
      assertOpen()
      const { changes } =
        expected === undefined ? statements.delete.run(key) : statements.deleteVersion.run(key, expected)
      return Number(changes) === 1
    },

    async sweep(now, limit) {
      assertOpen()
      return Number(statements.sweep.run(now, limit).changes)
    },

    async versions(keys, now) {
      assertOpen()
      const versions = new Map<string, number>()
      for (const key of keys) {
        const row = statements.version.get(key, now)
        if (row) versions.set(key, toVersion(row))
      }
      return versions
    },

    async scan(cursor, limit) {
      assertOpen()
      const entries = statements.scan.all(cursor ?? '', limit).map(toEntry)
      const last = entries.at(-1)
      return last && entries.length === limit ? { entries, cursor: last[0] } : { entries }
    },

    async close() {
      if (isOpen) close()
      isOpen = false
    },
  }
}

function checkOptions(database: string | SqliteDatabase, table: string, sync: SqliteSync | undefined): void {
  checkName('table', table, 63)
  if (sync === undefined) return
  if (sync !== 'normal' && sync !== 'full') throw new TypeError("sync: pass 'normal' or 'full'.")
  if (typeof database === 'string') return
  throw new TypeError('sync: leave it out and set PRAGMA synchronous on the database that you pass.')
}

function connect(
  database: string | SqliteDatabase,
  sync: SqliteSync = 'normal',
): { connection: SqliteDatabase; close: () => void } {
  if (typeof database !== 'string') return { connection: database, close: () => {} }
  const connection = openDatabase(database, sync)
  return { connection, close: () => connection.close() }
}

function isOnDisk(database: SqliteDatabase): boolean {
  return (
    database.prepare("SELECT 1 FROM pragma_database_list WHERE name = 'main' AND file <> ''").get() !==
    undefined
  )
}

function fromRow(row: unknown): Stored {
  // The columns are those of the statement.
  return toStored(row as Row)
}

function toEntry(row: unknown): [string, Stored] {
  // The columns are those of the statement.
  return [toText((row as Row).key), fromRow(row)]
}

function toVersion(row: unknown): number {
  // The columns are those of the statement.
  return Number((row as Row).version)
}
