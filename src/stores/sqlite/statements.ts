import { checkLayout, MARK } from '../sql/layout.ts'
import type { SqliteDatabase, SqliteStatement } from './database.ts'

/** All that the store asks of the database; each is one statement, and so one transaction. */
export interface Statements {
  /** key, now → a row */
  readonly read: SqliteStatement
  /** key, version, expires, text, now → 1 change, 0 if a live entry is there */
  readonly create: SqliteStatement
  /** version, expires, text, key, expected, now → 1 change, 0 if it is not there any more */
  readonly update: SqliteStatement
  /** key → 1 change */
  readonly delete: SqliteStatement
  /** key, expected → 1 change */
  readonly deleteVersion: SqliteStatement
  /** now, limit → a change for each */
  readonly sweep: SqliteStatement
  /** key, now → a version */
  readonly version: SqliteStatement
  /** key, limit → rows after that key */
  readonly scan: SqliteStatement
}

/**
 * Creates the table if need be and compiles the statements, once.
 *
 * @throws TypeError if the database is in UTF-16: SQLite makes U+FFFD of U+FFFE and U+FFFF there.
 * @throws {@link BinsError} `STORE_FAILED` if a newer Breadbin has made the table.
 */
export function prepareStatements(database: SqliteDatabase, tableName: string): Statements {
  if (!isUtf8(database)) throw new TypeError('sqliteStore: pass a database whose PRAGMA encoding is UTF-8.')
  const table = `"${tableName}"`
  openTable(database, tableName)
  // node:sqlite cuts text at U+0000 when it reads (seen in Node 22.13, not in 24.21), but not bytes.
  const whole = cutsText(database) ? (column: string) => `CAST(${column} AS BLOB) AS ${column}` : String
  const columns = `version, expires, ${whole('text')}`
  return {
    read: database.prepare(`SELECT ${columns} FROM ${table} WHERE key = ? AND expires > ?`),
    create: database.prepare(
      `INSERT INTO ${table} (key, version, expires, text) VALUES (?, ?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires = excluded.expires, text = excluded.text
      WHERE expires <= ?`,
    ),
    update: database.prepare(
      `UPDATE ${table} SET version = ?, expires = ?, text = ? WHERE key = ? AND version = ? AND expires > ?`,
    ),
    delete: database.prepare(`DELETE FROM ${table} WHERE key = ?`),
    deleteVersion: database.prepare(`DELETE FROM ${table} WHERE key = ? AND version = ?`),
    sweep: database.prepare(
      `DELETE FROM ${table} WHERE key IN (SELECT key FROM ${table} WHERE expires <= ? LIMIT ?)`,
    ),
    version: database.prepare(`SELECT version FROM ${table} WHERE key = ? AND expires > ?`),
    scan: database.prepare(
      `SELECT ${whole('key')}, ${columns} FROM ${table} WHERE key > ? ORDER BY key LIMIT ?`,
    ),
  }
}

/** A table that is there, with its index, is not touched: who may only read it can do so. */
function openTable(database: SqliteDatabase, name: string): void {
  const found = database.prepare('SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?')
  const table = found.get('table', name)
  // SQLite keeps the statement that created a table, comments included.
  if (table) checkLayout(name, (table as { sql: string }).sql)
  if (!found.get('index', `${name}_expires`)) database.exec(writeTable(name))
}

/** Writes what creates the table, for people too. Processes may race, and one that was killed halfway is followed by another. */
export function writeTable(name: string): string {
  return `CREATE TABLE IF NOT EXISTS "${name}" ( -- ${MARK}
  key varchar(128) PRIMARY KEY NOT NULL, version bigint NOT NULL, expires bigint NOT NULL, text text NOT NULL
);
CREATE INDEX IF NOT EXISTS "${name}_expires" ON "${name}" (expires);`
}

function isUtf8(database: SqliteDatabase): boolean {
  return database.prepare("SELECT 1 FROM pragma_encoding WHERE encoding = 'UTF-8'").get() !== undefined
}

function cutsText(database: SqliteDatabase): boolean {
  // The query has this one column.
  const row = database.prepare("SELECT 'a' || char(0) || 'b' AS text").get() as { text: string }
  return row.text.length < 3
}
