import { BinsError } from '../../core/error.ts'
import {
  type Connection,
  openConnections,
  SpoiledConnection,
  type UseConnection,
} from '../sql/connections.ts'
import { setUp } from '../sql/set-up.ts'
import { type MysqlStatement, type MysqlStatements, writeTable } from './statements.ts'

/** A value in a statement; a list only where it says `IN (?)`. */
export type MysqlValue = string | number | Buffer | readonly Buffer[]

/** What is passed to {@link MysqlConnection.query} and {@link MysqlConnection.execute}. */
export interface MysqlQuery {
  readonly sql: string
  readonly values: MysqlValue[]
  /** The pool may have been told otherwise. */
  readonly rowsAsArray: false
  /** The pool may have been told otherwise. */
  readonly typeCast: true
}

/** What is called of a connection of `mysql2/promise` that a pool has lent. */
export interface MysqlConnection {
  /** Runs a statement, with its values written into it. */
  query(query: MysqlQuery): Promise<[unknown, ...unknown[]]>
  /** Runs a statement, prepared once. */
  execute(query: MysqlQuery): Promise<[unknown, ...unknown[]]>
  /** Puts it back into the pool. */
  release(): void
  /** Ends it. */
  destroy(): void
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

/** What is called of a pool of `mysql2/promise`. */
export interface MysqlPool {
  getConnection(): Promise<MysqlConnection>
}

/** Runs statements on a connection. */
export interface MysqlClient {
  /** Answers the rows that a statement finds. */
  find(statement: MysqlStatement, values: MysqlValue[]): Promise<unknown[]>
  /** Answers how many rows a statement changes. */
  change(statement: MysqlStatement, values: MysqlValue[]): Promise<number>
}

/** ER_LOCK_DEADLOCK, and ER_CHECKREAD, which MariaDB 11 has for a row that changed meanwhile. */
const COLLISIONS: readonly unknown[] = [1213, 1020]

/** ER_NO_SUCH_TABLE */
const NO_TABLE = 1146

/** ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, of somebody who has not ended it. A server that is read-only has other numbers. */
const READ_ONLY_TRANSACTION = 1792

/** Uses a pool for a table, once that is there. */
export function openMysql(
  pool: MysqlPool,
  options: { table: string; statements: MysqlStatements; timeoutMs: number },
): UseConnection<MysqlClient> {
  const { table, statements, timeoutMs } = options
  let isReady = false

  const use = openConnections({
    acquire: () => acquire(pool),
    isCollision: (error) => COLLISIONS.includes(errnoOf(error)),
    timeoutMs,
  })

  async function prepare(client: MysqlClient): Promise<void> {
    await setUp({
      table: `\`${table}\``,
      sql: writeTable(`\`${table}\``),
      async find() {
        const [row] = await client.find(statements.find, [table])
        // The statement answers one row with these columns.
        const { charset, autocommit, comment } = row as Settings
        checkSettings(charset, Number(autocommit))
        return comment ?? undefined
      },
      create: () => client.change(statements.createTable, []),
    })
    isReady = true
  }

  return async (run) => {
    try {
      return await use(async (client) => {
        if (!isReady) await prepare(client)
        return run(client)
      })
    } catch (error) {
      // Somebody has dropped it: the next call looks again.
      if (errnoOf(error) === NO_TABLE) isReady = false
      throw error
    }
  }
}

/** The number that the server has given an error; `undefined` for those that are not from it. */
export function errnoOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'errno' in error ? error.errno : undefined
}

interface Settings {
  readonly charset: string
  readonly autocommit: number | string
  readonly comment: string | null
}

/** With these, the database would answer that it has written what it has lost or changed. */
function checkSettings(charset: string, autocommit: number): void {
  if (charset !== 'utf8mb4') {
    throw new BinsError(
      'STORE_FAILED',
      `mysqlStore: the pool's character set is ${charset}, which has no place for some characters. Use utf8mb4.`,
    )
  }
  if (autocommit !== 1) {
    throw new BinsError(
      'STORE_FAILED',
      "mysqlStore: the pool's connections do not commit by themselves. Use autocommit = 1.",
    )
  }
}

async function acquire(pool: MysqlPool): Promise<Connection<MysqlClient>> {
  const connection = await pool.getConnection()
  // mysql2 listens for the first error of a connection alone, and a second one would end the process.
  connection.on('error', ignore)
  return {
    client: toClient(connection),
    release() {
      connection.off('error', ignore)
      connection.release()
    },
    destroy: () => connection.destroy(),
  }
}

interface Changed {
  readonly affectedRows: number
  readonly serverStatus: number
}

/** SERVER_STATUS_IN_TRANS: of somebody who has not ended it. */
const IN_TRANSACTION = 1

/** SERVER_STATUS_AUTOCOMMIT */
const AUTOCOMMIT = 2

function toClient(connection: MysqlConnection): MysqlClient {
  async function run({ sql, isPrepared }: MysqlStatement, values: MysqlValue[]): Promise<unknown> {
    const query: MysqlQuery = { sql, values, rowsAsArray: false, typeCast: true }
    try {
      const [result] = await (isPrepared ? connection.execute(query) : connection.query(query))
      return result
    } catch (error) {
      throw errnoOf(error) === READ_ONLY_TRANSACTION ? new SpoiledConnection(error) : error
    }
  }

  return {
    // What a SELECT answers.
    find: async (statement, values) => (await run(statement, values)) as unknown[],
    async change(statement, values) {
      // What any other statement answers.
      const { affectedRows, serverStatus } = (await run(statement, values)) as Changed
      if (serverStatus & IN_TRANSACTION || !(serverStatus & AUTOCOMMIT)) throw new SpoiledConnection()
      return affectedRows
    },
  }
}

/** What has befallen a connection is told to those who wait for its answer. */
function ignore(): void {}
