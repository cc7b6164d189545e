import { BinsError } from '../core/error.ts'
import { openPostgres, type PostgresPool } from './postgres/connections.ts'
import { type PostgresStatement, writeStatements, writeTable } from './postgres/statements.ts'
import { escapeText, unescapeText } from './postgres/text.ts'
import { checkWrite } from './shared/check-write.ts'
import { checkName } from './sql/layout.ts'
import { fromExpires, type Row, toStored, toText } from './sql/rows.ts'
import type { Store, Stored } from './store.ts'

export type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './postgres/connections.ts'

/** Options of {@link postgresStore}. */
export interface PostgresStoreOptions {
  /** Where the records are; created if it is not there. Up to 55 letters, digits and `_`. Default `'breadbin'`. */
  readonly table?: string
  /** Schema of the table. Default: where the connection's `search_path` finds the table, or creates it. */
  readonly schema?: string
  /**
   * Whether statements are prepared once for each connection: they cost the server half as much then. Pass `false` for
   * a pooler in transaction mode that knows nothing of them, as PgBouncer before 1.21. Default `true`.
   */
  readonly prepare?: boolean
  /** How long a call may take, with the wait for a connection, in ms. Default 5,000. */
  readonly timeoutMs?: number
}

/**
 * Keeps records in PostgreSQL, for any number of processes and machines. What was written survives what PostgreSQL
 * does: with `synchronous_commit` on, as it comes, the end of the server and a power failure.
 *
 * The pool is used and never closed. Let it make connections to a primary server alone, and give it a
 * `connectionTimeoutMillis`. It gets a listener for `'error'` that does nothing: without one, the end of an idle
 * connection ends the process.
 *
 * The first call looks for the table, and creates it if it is not there; where it cannot, calls reject with the SQL
 * for somebody who can.
 *
 * @param pool A pool of `pg`.
 * @throws TypeError for a table or schema that is no plain name.
 */
export function postgresStore(
  pool: PostgresPool,
  { table = 'breadbin', schema, prepare = true, timeoutMs = 5_000 }: PostgresStoreOptions = {},
): Store {
  // The index has the name of the table and eight letters more, and PostgreSQL cuts names at 63.
  checkName('table', table, 55)
  if (schema !== undefined) checkName('schema', schema, 63)
  const path = schema === undefined ? `"${table}"` : `"${schema}"."${table}"`
  const index = `"${table}_expires"`
  const statements = writeStatements(path, index, prepare)
  const postgres = openPostgres(pool, { table: path, sql: writeTable(path, index), statements, timeoutMs })
  let isOpen = true

  async function run(statement: PostgresStatement, values: unknown[]): Promise<Rows> {
    if (!isOpen) throw new BinsError('CLOSED', 'The PostgreSQL store was closed.')
    // The columns are those of the statement.
    return (await postgres(statement, values)) as Rows
  }

  return {
    durable: true,

    async read(key, { now }) {
      const { rows } = await run(statements.read, [escapeText(key), now])
      return rows[0] && fromRow(rows[0])
    },

    async write(key, next, expected, now) {
      checkWrite(key, next, expected, now)
      const values = [escapeText(key), next.version, fromExpires(next.expires), escapeText(next.text), now]
      const { rowCount } =
        expected === 0
          ? await run(statements.create, values)
          : await run(statements.update, [...values, expected])
      return rowCount === 1
    },

    async delete(key, expected) {
      const { rowCount } =
        expected === undefined
          ? await run(statements.delete, [escapeText(key)])
          : await run(statements.deleteVersion, [escapeText(key), expected])
      return rowCount === 1
    },

    async sweep(now, limit) {
      return (await run(statements.sweep, [now, limit])).rowCount ?? 0
    },

    async versions(keys, now) {
      const { rows } = await run(statements.versions, [keys.map(escapeText), now])
      return new Map(rows.map(({ key, version }) => [unescapeText(toText(key)), Number(version)]))
    },

    async scan(cursor, limit) {
      const { rows } = await run(statements.scan, [escapeText(cursor ?? ''), limit])
      const entries = rows.map((row): [string, Stored] => [unescapeText(toText(row.key)), fromRow(row)])
      const last = entries.at(-1)
      return last && entries.length === limit ? { entries, cursor: last[0] } : { entries }
    },

    async close() {
      isOpen = false
    },
  }
}

interface Rows {
  readonly rows: Row[]
  readonly rowCount: number | null
}

function fromRow(row: Row): Stored {
  return toStored({ ...row, text: unescapeText(toText(row.text)) })
}
