import { BinsError } from '../core/error.ts'
import { errnoOf, type MysqlClient, type MysqlPool, type MysqlValue, openMysql } from './mysql/connections.ts'
import { type MysqlStatement, writeStatements } from './mysql/statements.ts'
import { checkWrite } from './shared/check-write.ts'
import { checkName } from './sql/layout.ts'
import { fromExpires, type Row, toStored, toText } from './sql/rows.ts'
import type { Store, Stored } from './store.ts'

export type { MysqlConnection, MysqlPool, MysqlQuery, MysqlValue } from './mysql/connections.ts'

/** Options of {@link mysqlStore}. */
export interface MysqlStoreOptions {
  /**
   * Where the records are, in the database that the pool is connected to; created if it is not there. Up to 64 letters,
   * digits and `_`. Default `'breadbin'`.
   */
  readonly table?: string
  /** How long a call may take, with the wait for a connection, in ms. Default 5,000. */
  readonly timeoutMs?: number
}

/** What a `mediumtext` holds. Without `STRICT_TRANS_TABLES`, the server would cut off the rest. */
const MAX_TEXT_BYTES = 2 ** 24 - 1

/** ER_DUP_ENTRY */
const DUPLICATE = 1062

/**
 * Keeps records in MySQL (8 or newer) or MariaDB, for any number of processes and machines. What was written survives what the
 * server does: with `innodb_flush_log_at_trx_commit = 1`, as it comes, the end of the server and a power failure.
 *
 * The pool is used and never closed. Let it make connections to a primary server alone, with the character set
 * utf8mb4, as mysql2 does by itself.
 *
 * The first call looks for the table, and creates it if it is not there; where it cannot, calls reject with the SQL
 * for somebody who can.
 *
 * @param pool A pool of `mysql2/promise`; of `mysql2`, pass `pool.promise()`.
 * @throws TypeError for a table that is no plain name, and a pool with callbacks. `write` rejects with {@link BinsError}
 * `TOO_LARGE` what has more than 16 MB.
 */
export function mysqlStore(
  pool: MysqlPool,
  { table = 'breadbin', timeoutMs = 5_000 }: MysqlStoreOptions = {},
): Store {
  checkName('table', table, 64)
  if ('promise' in pool) throw new TypeError('pool: pass pool.promise(), or a pool of mysql2/promise.')
  const statements = writeStatements(`\`${table}\``)
  const mysql = openMysql(pool, { table, statements, timeoutMs })
  let isOpen = true

  async function connected<Result>(run: (client: MysqlClient) => Promise<Result>): Promise<Result> {
    if (!isOpen) throw new BinsError('CLOSED', 'The MySQL store was closed.')
    return mysql(run)
  }

  /** Answers the rows that a statement finds. The columns are those of the statement. */
  const find = (statement: MysqlStatement, values: MysqlValue[]) =>
    connected((client) => client.find(statement, values)) as Promise<Row[]>

  const change = (statement: MysqlStatement, values: MysqlValue[]) =>
    connected((client) => client.change(statement, values))

  /** Writes where there is no live entry. */
  async function create(client: MysqlClient, row: MysqlValue[], key: Buffer, now: number): Promise<boolean> {
    for (;;) {
      if (await insert(client, row)) return true
      if ((await client.change(statements.replace, [...row, now])) === 1) return true
      // It is live, or has been swept between the two.
      if ((await client.find(statements.read, [key, now])).length > 0) return false
    }
  }

  async function insert(client: MysqlClient, row: MysqlValue[]): Promise<boolean> {
    try {
      await client.change(statements.insert, row)
      return true
    } catch (error) {
      if (errnoOf(error) === DUPLICATE) return false
      throw error
    }
  }

  return {
    durable: true,

    async read(key, { now }) {
      const [row] = await find(statements.read, [toKey(key), now])
      return row && toStored(row)
    },

    async write(name, next, expected, now) {
      checkWrite(name, next, expected, now)
      if (Buffer.byteLength(next.text) > MAX_TEXT_BYTES) {
        throw new BinsError('TOO_LARGE', `MySQL keeps ${MAX_TEXT_BYTES} bytes of text in an entry at most.`)
      }
      const key = toKey(name)
      const row = [next.version, fromExpires(next.expires), next.text, key]
      if (expected === 0) return connected((client) => create(client, row, key, now))
      return (await change(statements.update, [...row, now, expected])) === 1
    },

    async delete(key, expected) {
      const deleted =
        expected === undefined
          ? await change(statements.delete, [toKey(key)])
          : await change(statements.deleteVersion, [toKey(key), expected])
      return deleted === 1
    },

    sweep: (now, limit) => change(statements.sweep, [now, limit]),

    async versions(keys, now) {
      // A list in SQL has one member at least, and no key is empty.
      const rows = await find(statements.versions, [['', ...keys].map(toKey), now])
      return new Map(rows.map(({ key, version }) => [toText(key), Number(version)]))
    },

    async scan(cursor, limit) {
      const rows = await find(statements.scan, [toKey(cursor ?? ''), limit])
      const entries = rows.map((row): [string, Stored] => [toText(row.key), toStored(row)])
      const last = entries.at(-1)
      return last && entries.length === limit ? { entries, cursor: last[0] } : { entries }
    },

    async close() {
      isOpen = false
    },
  }
}

/** Keys are bytes there, which nobody compares by any language's rules. */
function toKey(key: string): Buffer {
  return Buffer.from(key)
}
