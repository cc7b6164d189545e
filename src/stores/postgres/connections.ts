import { type Connection, openConnections, SpoiledConnection } from '../sql/connections.ts'
import { setUp } from '../sql/set-up.ts'
import type { PostgresStatement, PostgresStatements } from './statements.ts'

/** What is passed to {@link PostgresClient.query}. */
export interface PostgresQuery extends PostgresStatement {
  readonly values?: unknown[]
}

/** What a statement has done. */
export interface PostgresResult {
  readonly rows: unknown[]
  readonly rowCount: number | null
}

/** What is called of a client of `pg` that a pool has lent. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult>
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  /** `'T'` or `'E'` in a transaction, as of the last answer. pg has it from 8.21 on. */
  getTransactionStatus?(): string | null
}

/** What is called of a pool of `pg`. */
export interface PostgresPool {
  /** Lends a client; `release` puts it back, and with `true` ends it instead. */
  connect(
    callback: (
      error: Error | undefined,
      client: PostgresClient | undefined,
      release: (destroy?: boolean) => void,
    ) => void,
  ): void
  on(event: 'error', listener: (error: Error) => void): unknown
  listeners(event: 'error'): readonly unknown[]
}

/** Runs a statement. */
export type RunStatement = (statement: PostgresStatement, values: unknown[]) => Promise<PostgresResult>

/** serialization_failure and deadlock_detected (https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html). */
const COLLISIONS: readonly unknown[] = ['40001', '40P01']

/**
 * in_failed_sql_transaction, of a transaction that somebody has left, and invalid_sql_statement_name, after `DISCARD ALL`
 * or `DEALLOCATE`: the client still believes that the statement is prepared.
 */
const SPOILED: readonly unknown[] = ['25P02', '26000']

/** read_only_sql_transaction, and outside of any where the server is read-only. */
const READ_ONLY = '25006'

/** undefined_table */
const NO_TABLE = '42P01'

/** Uses a pool for a table, once that is there. */
export function openPostgres(
  pool: PostgresPool,
  options: { table: string; sql: string; statements: PostgresStatements; timeoutMs: number },
): RunStatement {
  const { table, sql, statements, timeoutMs } = options
  let isReady = false
  // The end of an idle connection would end the process.
  if (!pool.listeners('error').includes(ignore)) pool.on('error', ignore)

  const use = openConnections({
    acquire: () => acquire(pool),
    isCollision: (error) => COLLISIONS.includes(codeOf(error)),
    timeoutMs,
  })

  async function prepare(client: PostgresClient): Promise<void> {
    await setUp({
      table,
      sql,
      async find() {
        const { rows } = await query(client, { ...statements.find, values: [table] })
        // The statement has this one column.
        return (rows[0] as { comment: string } | undefined)?.comment
      },
      create: () => query(client, statements.createTable),
    })
    isReady = true
  }

  return async (statement, values) => {
    try {
      return await use(async (client) => {
        if (!isReady) await prepare(client)
        return query(client, { ...statement, values })
      })
    } catch (error) {
      // Somebody has dropped it: the next call looks again.
      if (codeOf(error) === NO_TABLE) isReady = false
      throw error
    }
  }
}

function acquire(pool: PostgresPool): Promise<Connection<PostgresClient>> {
  return new Promise((resolve, reject) => {
    // Not as a promise: by the time that it has told us, the client may have failed with nobody listening, which ends the
    // process (seen in pg 8.23, when the server was killed).
    pool.connect((error, client, release) => {
      if (!client) {
        reject(error)
        return
      }
      client.on('error', ignore)
      resolve({
        client,
        release() {
          client.off('error', ignore)
          release()
        },
        destroy: () => release(true),
      })
    })
  })
}

/**
 * Runs a statement that is a transaction by itself.
 *
 * @throws {@link SpoiledConnection} if it was part of one that somebody else has left open. Only the answer tells: before
 * it, the client does not know what became of statements that others have not waited for.
 */
async function query(client: PostgresClient, statement: PostgresQuery): Promise<PostgresResult> {
  try {
    const result = await client.query(statement)
    if (isInTransaction(client)) throw new SpoiledConnection()
    return result
  } catch (error) {
    const code = codeOf(error)
    const isSpoiled = SPOILED.includes(code) || (code === READ_ONLY && isInTransaction(client))
    throw isSpoiled ? new SpoiledConnection(error) : error
  }
}

function isInTransaction(client: PostgresClient): boolean {
  return ['T', 'E'].includes(client.getTransactionStatus?.() ?? '')
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

/** What has befallen a connection is told to those who wait for its answer. */
function ignore(): void {}
