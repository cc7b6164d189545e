import { MARK } from '../sql/layout.ts'

/** A statement. */
export interface MysqlStatement {
  readonly sql: string
  /**
   * Whether it is prepared, once for each connection. `false` for what the protocol does not take as a value: lists, and
   * numbers after `LIMIT`. mysql2 writes these into the text, and they are bytes and numbers, in which there is nothing
   * to escape.
   */
  readonly isPrepared: boolean
}

/** All that the store asks of the database; each is one statement, and so one transaction. */
export interface MysqlStatements {
  /** table → the comment on it, and how the connection is set */
  readonly find: MysqlStatement
  /** Creates the table, and leaves one that is there as it is. */
  readonly createTable: MysqlStatement
  /** key, now → a row */
  readonly read: MysqlStatement
  /** version, expires, text, key → 1 change; where there is an entry it fails */
  readonly insert: MysqlStatement
  /** version, expires, text, key, now → 1 change, 0 if there is no expired entry */
  readonly replace: MysqlStatement
  /** version, expires, text, key, now, expected → 1 change, 0 if it is not there any more */
  readonly update: MysqlStatement
  /** key → 1 change */
  readonly delete: MysqlStatement
  /** key, expected → 1 change */
  readonly deleteVersion: MysqlStatement
  /** now, limit → a change for each */
  readonly sweep: MysqlStatement
  /** keys, now → keys and versions */
  readonly versions: MysqlStatement
  /** key, limit → rows after that key */
  readonly scan: MysqlStatement
}

/**
 * Writes the statements.
 *
 * None has an `ON DUPLICATE KEY UPDATE`: whether it changed a row cannot be told from its count of rows, which means
 * something else with the flag CLIENT_FOUND_ROWS, which mysql2 sets and its users may unset
 * (https://dev.mysql.com/doc/refman/8.4/en/insert-on-duplicate.html). An update counts alike with and without it here,
 * since each changes the version.
 *
 * @param table Name of the table, quoted.
 */
export function writeStatements(table: string): MysqlStatements {
  const assignments = 'version = ?, expires = ?, text = ?'
  return {
    find: direct(
      `SELECT @@character_set_client AS charset, @@autocommit AS autocommit, (
  SELECT table_comment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?
) AS comment`,
    ),
    createTable: direct(writeTable(table)),
    read: prepared(`SELECT version, expires, text FROM ${table} WHERE \`key\` = ? AND expires > ?`),
    insert: prepared(`INSERT INTO ${table} SET ${assignments}, \`key\` = ?`),
    replace: prepared(`UPDATE ${table} SET ${assignments} WHERE \`key\` = ? AND expires <= ?`),
    update: prepared(`UPDATE ${table} SET ${assignments} WHERE \`key\` = ? AND expires > ? AND version = ?`),
    delete: prepared(`DELETE FROM ${table} WHERE \`key\` = ?`),
    deleteVersion: prepared(`DELETE FROM ${table} WHERE \`key\` = ? AND version = ?`),
    sweep: direct(`DELETE FROM ${table} WHERE expires <= ? LIMIT ?`),
    versions: direct(`SELECT \`key\`, version FROM ${table} WHERE \`key\` IN (?) AND expires > ?`),
    scan: direct(
      `SELECT \`key\`, version, expires, text FROM ${table} WHERE \`key\` > ? ORDER BY \`key\` LIMIT ?`,
    ),
  }
}

function prepared(sql: string): MysqlStatement {
  return { sql, isPrepared: true }
}

function direct(sql: string): MysqlStatement {
  return { sql, isPrepared: false }
}

/**
 * Writes what creates the table, for people too. Keys are bytes: all collations that MySQL and MariaDB have in common
 * take `a` and `a ` for the same. A key of 128 UTF-16 code units has 384 bytes at most.
 */
export function writeTable(table: string): string {
  return `CREATE TABLE IF NOT EXISTS ${table} (
  \`key\` varbinary(384) NOT NULL PRIMARY KEY, version bigint NOT NULL, expires bigint NOT NULL,
  text mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  KEY expires (expires)
) ENGINE = InnoDB COMMENT = '${MARK}';`
}
