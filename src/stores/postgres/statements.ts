import { hash } from 'node:crypto'
import { MARK } from '../sql/layout.ts'

/** A statement, as `pg` takes it. */
export interface PostgresStatement {
  /** Of the prepared statement; left out if there shall be none. */
  readonly name?: string
  readonly text: string
}

/** All that the store asks of the database; each is one statement, and so one transaction. */
export interface PostgresStatements {
  /** table → the comment on it */
  readonly find: PostgresStatement
  /** Creates the table, and leaves one that is there as it is. */
  readonly createTable: PostgresStatement
  /** key, now → a row */
  readonly read: PostgresStatement
  /** key, version, expires, text, now → 1 change, 0 if a live entry is there */
  readonly create: PostgresStatement
  /** key, version, expires, text, now, expected → 1 change, 0 if it is not there any more */
  readonly update: PostgresStatement
  /** key → 1 change */
  readonly delete: PostgresStatement
  /** key, expected → 1 change */
  readonly deleteVersion: PostgresStatement
  /** now, limit → a change for each */
  readonly sweep: PostgresStatement
  /** keys, now → keys and versions */
  readonly versions: PostgresStatement
  /** key, limit → rows after that key */
  readonly scan: PostgresStatement
}

/** Any number that nobody else has. */
const LOCK = 4_211_905_116

/**
 * Writes the statements.
 *
 * @param table Name of the table, quoted.
 * @param index Name of its index, quoted.
 */
export function writeStatements(table: string, index: string, isPrepared: boolean): PostgresStatements {
  /** A name stands for one text on a connection, whoever else uses it: it is made of the text. */
  const prepared = (text: string): PostgresStatement =>
    isPrepared ? { name: `breadbin_${hash('sha256', text).slice(0, 32)}`, text } : { text }

  return {
    find: {
      text: `SELECT coalesce(obj_description(to_regclass($1), 'pg_class'), '') AS comment
WHERE to_regclass($1) IS NOT NULL`,
    },
    // One text is one transaction. Without the lock, those who create at once fail each other in spite of `IF NOT
    // EXISTS` (seen in PostgreSQL 15: 23505 of pg_type_typname_nsp_index).
    createTable: { text: `SELECT pg_advisory_xact_lock(${LOCK});\n${writeTable(table, index)}` },
    // As texts, which are the same in pools that ask for binary values, of which pg makes other numbers.
    read: prepared(`SELECT version::text, expires::text, text FROM ${table} WHERE key = $1 AND expires > $2`),
    create: prepared(
      `INSERT INTO ${table} AS old (key, version, expires, text) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires = excluded.expires, text = excluded.text
WHERE old.expires <= $5`,
    ),
    update: prepared(
      `UPDATE ${table} SET version = $2, expires = $3, text = $4 WHERE key = $1 AND version = $6 AND expires > $5`,
    ),
    delete: prepared(`DELETE FROM ${table} WHERE key = $1`),
    deleteVersion: prepared(`DELETE FROM ${table} WHERE key = $1 AND version = $2`),
    // Not `IN (SELECT …)`: a plan may run that several times, each time for other rows, and so over the limit.
    sweep: prepared(
      `DELETE FROM ${table} WHERE expires <= $1 AND key = ANY (ARRAY(
  SELECT key FROM ${table} WHERE expires <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
))`,
    ),
    versions: prepared(
      `SELECT key, version::text FROM ${table} WHERE key = ANY ($1::text[]) AND expires > $2`,
    ),
    scan: prepared(
      `SELECT key, version::text, expires::text, text FROM ${table} WHERE key > $1 ORDER BY key LIMIT $2`,
    ),
  }
}

/**
 * Writes what creates the table, for people too. The collation "C" compares bytes: the index stays good when the
 * operating system's locales change.
 */
export function writeTable(table: string, index: string): string {
  return `CREATE TABLE IF NOT EXISTS ${table} (
  key text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, expires bigint NOT NULL, text text NOT NULL
);
CREATE INDEX IF NOT EXISTS ${index} ON ${table} (expires);
COMMENT ON TABLE ${table} IS '${MARK}';`
}
