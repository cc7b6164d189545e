import { createPool as createCallbackPool } from 'mysql2'
import { createPool, type Pool, type PoolOptions, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeTable } from '../../src/stores/mysql/statements.ts'
import { type MysqlPool, mysqlStore } from '../../src/stores/mysql.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { documentedSql } from '../support/package/documented-sql.ts'
import type { Mysql } from '../support/servers/mysql.ts'
import { mysqlServers } from '../support/stores/mysql-servers.ts'
import { LATER, NOW } from '../support/stores/open-store.ts'
import { exitSuite, processSuite } from '../support/stores/store-processes.ts'

const entry = { version: 1, text: 'text', expires: LATER }
let tables = 0

describe.each(mysqlServers())('$name', ({ start }) => {
  let server: Mysql
  let pool: Pool

  beforeAll(async () => {
    server = await start()
    pool = createPool(server.url)
  })

  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  /** A pool of connections that are set in some way, or that another user makes. */
  async function withPool(options: PoolOptions, use: (other: Pool) => Promise<void>): Promise<void> {
    const other = createPool({ uri: server.url, ...options })
    try {
      await use(other)
    } finally {
      await other.end()
    }
  }

  async function query(sql: string): Promise<RowDataPacket[]> {
    return (await pool.query<RowDataPacket[]>(sql))[0]
  }

  /** Lets a user in, with some rights to a table. */
  async function createUser(user: string, rights: string, table: string): Promise<PoolOptions> {
    await query(`CREATE USER IF NOT EXISTS ${user}@'127.0.0.1'`)
    await query(`GRANT ${rights} ON breadbin.${table} TO ${user}@'127.0.0.1'`)
    return { uri: Object.assign(new URL(server.url), { username: user }).href }
  }

  describe('mysqlStore', () => {
    storeSuite(it, { open: () => mysqlStore(pool, { table: nextTable() }) })
    processSuite(it, 'mysql2', () => `${server.url}#${nextTable()}`)
    exitSuite(it, 'mysql2', () => `${server.url}#${nextTable()}`)

    it('is created by ten connections at once, 20 times', async () => {
      for (let round = 0; round < 20; round += 1) {
        const table = nextTable()
        const stores = Array.from({ length: 10 }, () => mysqlStore(pool, { table }))
        await Promise.all(stores.map((store) => store.read('key', { now: NOW })))
      }
    })

    it('is durable, and has every optional power', () => {
      const powers = { versions: expect.any(Function), scan: expect.any(Function) }
      expect(mysqlStore(pool)).toMatchObject({ durable: true, ...powers })
    })

    it('cuts nothing off, however the server is set', () =>
      withPool({ connectionLimit: 1 }, async (other) => {
        await other.query("SET sql_mode = ''")
        const write = mysqlStore(other).write('long', { ...entry, text: 'x'.repeat(2 ** 24) }, 0, NOW)
        await expect(write).rejects.toMatchObject({ code: 'TOO_LARGE' })
      }))

    it('leaves the pool open when it is closed', async () => {
      const store = mysqlStore(pool)
      await store.read('key', { now: NOW })
      await store.close?.()
      expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    })

    it.each(['', 'a b', 'a`b', 'a;', '1a', 'a\n', 'é', 'x'.repeat(65)])('refuses the table %j', (table) => {
      expect(() => mysqlStore(pool, { table })).toThrow(TypeError)
    })

    it('refuses a pool with callbacks', async () => {
      const callbacks = createCallbackPool(server.url)
      expect(() => mysqlStore(callbacks as unknown as MysqlPool)).toThrow(/pool\.promise\(\)/)
      expect(await mysqlStore(callbacks.promise()).read('key', { now: NOW })).toBeUndefined()
      await callbacks.promise().end()
    })
  })

  describe.each<[string, PoolOptions]>([
    ['that counts changed rows', { flags: ['-FOUND_ROWS'] }],
    [
      'that answers rows as lists, and big numbers as strings',
      {
        rowsAsArray: true,
        supportBigNumbers: true,
        bigNumberStrings: true,
        namedPlaceholders: true,
      },
    ],
    ['that answers bytes', { typeCast: false }],
  ])('mysqlStore of a pool %s', (_, options) => {
    let other: Pool
    beforeAll(() => {
      other = createPool({ uri: server.url, ...options })
    })
    afterAll(() => other.end())

    storeSuite(it, { open: () => mysqlStore(other, { table: nextTable() }) })
  })

  describe('mysqlStore of serializable transactions', () => {
    beforeAll(() => query('SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE'))
    afterAll(() => query('SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ'))

    storeSuite(it, {
      async open() {
        const own = createPool(server.url)
        const store = mysqlStore(own, { table: nextTable() })
        return {
          ...store,
          async close() {
            await store.close?.()
            await own.end().catch(() => {})
          },
        }
      },
    })
  })

  describe('mysqlStore of connections that would lose what is written', () => {
    it('refuses a character set without some characters', () =>
      withPool({ charset: 'LATIN1_SWEDISH_CI' }, async (other) => {
        const read = mysqlStore(other).read('key', { now: NOW })
        await expect(read).rejects.toThrow(/utf8mb4/)
      }))

    it('refuses connections that do not commit', async () => {
      await query('SET GLOBAL autocommit = 0')
      await withPool({}, async (other) => {
        const read = mysqlStore(other).read('key', { now: NOW })
        await expect(read).rejects.toThrow(/autocommit/)
      })
      await query('SET GLOBAL autocommit = 1')
    })
  })

  describe('the table of a mysqlStore', () => {
    it('can be read by SQL users', async () => {
      const table = nextTable()
      const store = mysqlStore(pool, { table })
      await store.write('a', { version: 7, text: '{"a":1}', expires: LATER }, 0, NOW)
      await store.write('b', { version: 8, text: '', expires: Infinity }, 0, NOW)
      expect(
        await query(`SELECT *, CONVERT(\`key\` USING utf8mb4) AS \`key\` FROM ${table} ORDER BY 1`),
      ).toEqual([
        { key: 'a', version: 7, expires: LATER, text: '{"a":1}' },
        { key: 'b', version: 8, expires: Number.MAX_SAFE_INTEGER, text: '' },
      ])
      const [row] = await query(`SELECT JSON_VALUE(text, '$.a') AS a FROM ${table} WHERE \`key\` = 'a'`)
      expect(row).toEqual({ a: '1' })
    })

    it('is created and queried by the SQL in the documents', async () => {
      const [create, select] = documentedSql('MySQL and MariaDB')
      expect(create).toBe(writeTable('`breadbin`'))
      await query('DROP TABLE IF EXISTS breadbin')
      await query(String(create))
      const text = '{"bins":{"cart":{"data":{"json":["bread"]}}}}'
      await mysqlStore(pool).write('key', { version: 1, text, expires: LATER }, 0, NOW)
      const [rows] = await pool.query({ sql: String(select), rowsAsArray: true })
      expect(rows).toEqual([['key', ['bread']]])
    })

    it('may have the longest of names', async () => {
      expect(await mysqlStore(pool, { table: 'x'.repeat(64) }).read('key', { now: NOW })).toBeUndefined()
      expect(await mysqlStore(pool, { table: 'select' }).read('key', { now: NOW })).toBeUndefined()
    })

    it('is read by its indexes', async () => {
      const table = nextTable()
      await mysqlStore(pool, { table }).read('key', { now: NOW })
      await query(
        `INSERT INTO ${table} WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000)
          SELECT concat('key ', n), 1, ${LATER} + n, 'text' FROM numbers`,
      )
      await query(`ANALYZE TABLE ${table}`)
      const [read] = (
        await pool.execute<RowDataPacket[]>(
          `EXPLAIN FORMAT=TRADITIONAL SELECT version FROM ${table} WHERE \`key\` = ? AND expires > ?`,
          [Buffer.from('key 5'), NOW],
        )
      )[0]
      expect(read).toMatchObject({ type: 'const', key: 'PRIMARY' })
      const scan = `EXPLAIN FORMAT=TRADITIONAL SELECT * FROM ${table} WHERE \`key\` > x'6b6579' ORDER BY \`key\` LIMIT 10`
      expect((await query(scan))[0]).toMatchObject({ type: 'range', key: 'PRIMARY' })
      const versions = `EXPLAIN FORMAT=TRADITIONAL SELECT version FROM ${table} WHERE \`key\` IN (x'6b6579', x'') AND expires > 1`
      expect((await query(versions))[0]).toMatchObject({ type: 'range', key: 'PRIMARY' })
      const sweep = `EXPLAIN FORMAT=TRADITIONAL DELETE FROM ${table} WHERE expires <= ${NOW} LIMIT 10`
      expect((await query(sweep))[0]).toMatchObject({ type: 'range', key: 'expires' })
    })

    it('is found, written and swept by users who may not create it', async () => {
      const table = nextTable()
      await mysqlStore(pool, { table }).read('key', { now: NOW })
      await withPool(await createUser('writer', 'SELECT, INSERT, UPDATE, DELETE', table), async (other) => {
        const store = mysqlStore(other, { table })
        expect(await store.write('key', entry, 0, NOW)).toBe(true)
        expect(await store.sweep(LATER, 10)).toBe(1)
      })
    })

    it('is asked for, with the SQL, where it may not be created, and used as soon as it is there', async () => {
      const table = nextTable()
      await withPool(await createUser('reader', 'SELECT', '*'), async (other) => {
        const store = mysqlStore(other, { table })
        const error = await store.read('key', { now: NOW }).catch((reason: unknown) => reason)
        expect(error).toMatchObject({ code: 'STORE_FAILED', cause: { code: 'ER_TABLEACCESS_DENIED_ERROR' } })
        const { message } = error as Error
        await query(message.slice(message.indexOf('CREATE')))
        expect(await store.read('key', { now: NOW })).toBeUndefined()
      })
    })

    it('is made again after somebody has dropped it', async () => {
      const table = nextTable()
      const store = mysqlStore(pool, { table })
      await store.write('key', entry, 0, NOW)
      await query(`DROP TABLE ${table}`)
      await expect(store.read('key', { now: NOW })).rejects.toMatchObject({ code: 'ER_NO_SUCH_TABLE' })
      expect(await store.read('key', { now: NOW })).toBeUndefined()
    })

    it('is refused if a newer Breadbin has made it', async () => {
      const table = nextTable()
      await mysqlStore(pool, { table }).read('key', { now: NOW })
      await query(`ALTER TABLE ${table} COMMENT = 'breadbin 2'`)
      const refused = mysqlStore(pool, { table }).read('key', { now: NOW })
      await expect(refused).rejects.toMatchObject({ code: 'STORE_FAILED' })
      await query(`ALTER TABLE ${table} COMMENT = ''`)
      expect(await mysqlStore(pool, { table }).read('key', { now: NOW })).toBeUndefined()
    })

    it('is read on a server that is read-only, and not written', async () => {
      const table = nextTable()
      await mysqlStore(pool, { table }).write('key', entry, 0, NOW)
      const user = await createUser('writer', 'SELECT, INSERT, UPDATE, DELETE', table)
      await query('SET GLOBAL read_only = 1')
      await withPool(user, async (other) => {
        const store = mysqlStore(other, { table })
        expect(await store.read('key', { now: NOW })).toEqual(entry)
        const readOnly = { code: 'ER_OPTION_PREVENTS_STATEMENT' }
        await expect(store.write('key', { ...entry, version: 2 }, 1, NOW)).rejects.toMatchObject(readOnly)
        await expect(store.write('other', entry, 0, NOW)).rejects.toMatchObject(readOnly)
      })
      await query('SET GLOBAL read_only = 0')
    })
  })
})

function nextTable(): string {
  tables += 1
  return `Test_${tables}`
}
