import { Pool, type PoolConfig } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeTable } from '../../src/stores/postgres/statements.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { needs } from '../support/needs.ts'
import { documentedSql } from '../support/package/documented-sql.ts'
import { type Postgres, startPostgres } from '../support/servers/postgres.ts'
import { LATER, NOW } from '../support/stores/open-store.ts'
import { exitSuite, processSuite } from '../support/stores/store-processes.ts'

const program = needs('postgres')
const entry = { version: 1, text: 'text', expires: LATER }
let tables = 0

function nextTable(): string {
  tables += 1
  return `Test_${tables}`
}

if (program) {
  let postgres: Postgres
  let pool: Pool

  beforeAll(async () => {
    postgres = await startPostgres(program)
    pool = new Pool({ connectionString: postgres.url })
  })

  afterAll(async () => {
    await pool.end()
    await postgres.stop()
  })

  /** A pool of connections that are set in some way, or that another user makes. */
  async function withPool(options: object, use: (other: Pool) => Promise<void>): Promise<void> {
    const other = new Pool({ connectionString: postgres.url, ...options })
    try {
      await use(other)
    } finally {
      await other.end()
    }
  }

  /** Where another user finds the server. */
  const as = (username: string) => Object.assign(new URL(postgres.url), { username }).href

  describe('postgresStore', () => {
    storeSuite(it, { open: () => postgresStore(pool, { table: nextTable() }) })
    processSuite(it, 'pg', () => `${postgres.url}#${nextTable()}`)
    exitSuite(it, 'pg', () => `${postgres.url}#${nextTable()}`)

    it('is created by ten connections at once, 20 times', async () => {
      for (let round = 0; round < 20; round += 1) {
        const table = nextTable()
        const stores = Array.from({ length: 10 }, () => postgresStore(pool, { table }))
        await Promise.all(stores.map((store) => store.read('key', { now: NOW })))
      }
    })

    it('is durable, and has every optional power', () => {
      const powers = { versions: expect.any(Function), scan: expect.any(Function) }
      expect(postgresStore(pool)).toMatchObject({ durable: true, ...powers })
    })

    it('leaves the pool open when it is closed', async () => {
      const store = postgresStore(pool)
      await store.read('key', { now: NOW })
      await store.close?.()
      expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    })

    it.each(['', 'a b', 'a"b', 'a;', '1a', 'a\n', 'é', 'x'.repeat(56)])('refuses the table %j', (table) => {
      expect(() => postgresStore(pool, { table })).toThrow(TypeError)
    })

    it('refuses a schema that is no plain name', () => {
      expect(() => postgresStore(pool, { schema: 'a"b' })).toThrow(TypeError)
    })
  })

  describe('postgresStore without prepared statements', () => {
    storeSuite(it, { open: () => postgresStore(pool, { table: nextTable(), prepare: false }) })

    it('leaves none behind', () =>
      withPool({ max: 1 }, async (other) => {
        const store = postgresStore(other, { table: nextTable(), prepare: false })
        await store.write('key', entry, 0, NOW)
        expect((await other.query('SELECT name FROM pg_prepared_statements')).rows).toEqual([])
        await postgresStore(other).read('key', { now: NOW })
        expect((await other.query('SELECT name FROM pg_prepared_statements')).rows).toHaveLength(1)
      }))
  })

  describe('postgresStore of a pool that answers bytes', () => {
    let other: Pool
    beforeAll(() => {
      other = new Pool({ connectionString: postgres.url, binary: true } as PoolConfig)
    })
    afterAll(() => other.end())

    storeSuite(it, { open: () => postgresStore(other, { table: nextTable() }) })
  })

  describe('postgresStore of serializable transactions', () => {
    let other: Pool
    beforeAll(() => {
      const options = '-c default_transaction_isolation=serializable'
      other = new Pool({ connectionString: postgres.url, options })
    })
    afterAll(() => other.end())

    storeSuite(it, { open: () => postgresStore(other, { table: nextTable() }) })
  })

  describe('the table of a postgresStore', () => {
    it('can be read by SQL users', async () => {
      const table = nextTable()
      const store = postgresStore(pool, { table })
      await store.write('a', { version: 7, text: '{"a":1}', expires: LATER }, 0, NOW)
      await store.write('b', { version: 8, text: '', expires: Infinity }, 0, NOW)
      const { rows } = await pool.query(`SELECT * FROM "${table}" ORDER BY key`)
      expect(rows).toEqual([
        { key: 'a', version: '7', expires: String(LATER), text: '{"a":1}' },
        { key: 'b', version: '8', expires: String(Number.MAX_SAFE_INTEGER), text: '' },
      ])
    })

    it('is created and queried by the SQL in the documents', async () => {
      const [create, select] = documentedSql('PostgreSQL')
      expect(create).toBe(writeTable('"breadbin"', '"breadbin_expires"'))
      await pool.query(`DROP TABLE IF EXISTS breadbin; ${create}`)
      const text = '{"bins":{"cart":{"data":{"json":["bread"]}}}}'
      await postgresStore(pool).write('key', { version: 1, text, expires: LATER }, 0, NOW)
      expect((await pool.query(String(select))).rows).toEqual([{ key: 'key', '?column?': ['bread'] }])
    })

    it('has its name in its schema', async () => {
      await pool.query('CREATE SCHEMA "Other"')
      const one = postgresStore(pool, { schema: 'Other', table: 'user' })
      await one.write('key', entry, 0, NOW)
      expect((await pool.query('SELECT key FROM "Other"."user"')).rows).toEqual([{ key: 'key' }])
      const table = 'x'.repeat(55)
      await postgresStore(pool, { table }).write('key', entry, 0, NOW)
      expect((await pool.query(`SELECT key FROM "${table}"`)).rows).toEqual([{ key: 'key' }])
    })

    it('is read by its indexes', async () => {
      const table = nextTable()
      await postgresStore(pool, { table }).read('key', { now: NOW })
      await pool.query(
        `INSERT INTO "${table}" SELECT 'key ' || n, 1, ${LATER} + n, 'text' FROM generate_series(1, 10000) n`,
      )
      await pool.query(`ANALYZE "${table}"`)
      const plan = async (sql: string) => JSON.stringify((await pool.query(`EXPLAIN ${sql}`)).rows)
      expect(await plan(`SELECT * FROM "${table}" WHERE key > 'key 5' ORDER BY key LIMIT 10`)).toContain(
        '_pkey',
      )
      expect(await plan(`SELECT * FROM "${table}" WHERE expires <= ${NOW} LIMIT 10`)).toContain('_expires')
    })

    it('is found, written and swept by users who may not create it', async () => {
      const [table, role] = [nextTable(), 'writer']
      await postgresStore(pool, { table }).read('key', { now: NOW })
      await pool.query(`CREATE ROLE ${role} LOGIN`)
      await pool.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON "${table}" TO ${role}`)
      await withPool({ connectionString: as(role) }, async (other) => {
        const store = postgresStore(other, { table })
        expect(await store.write('key', entry, 0, NOW)).toBe(true)
        expect(await store.sweep(LATER, 10)).toBe(1)
      })
    })

    it('is asked for, with the SQL, where it may not be created, and used as soon as it is there', async () => {
      const [table, role] = [nextTable(), 'reader']
      await pool.query(`CREATE ROLE ${role} LOGIN`)
      await withPool({ connectionString: as(role) }, async (other) => {
        const store = postgresStore(other, { table })
        const error = await store.read('key', { now: NOW }).catch((reason: unknown) => reason)
        expect(error).toMatchObject({ code: 'STORE_FAILED', cause: { code: '42501' } })
        const { message } = error as Error
        await pool.query(message.slice(message.indexOf('CREATE')))
        await pool.query(`GRANT SELECT ON "${table}" TO ${role}`)
        expect(await store.read('key', { now: NOW })).toBeUndefined()
      })
    })

    it('is made again after somebody has dropped it', async () => {
      const table = nextTable()
      const store = postgresStore(pool, { table })
      await store.write('key', entry, 0, NOW)
      await pool.query(`DROP TABLE "${table}"`)
      await expect(store.read('key', { now: NOW })).rejects.toMatchObject({ code: '42P01' })
      expect(await store.read('key', { now: NOW })).toBeUndefined()
    })

    it('is refused if a newer Breadbin has made it', async () => {
      const table = nextTable()
      await postgresStore(pool, { table }).read('key', { now: NOW })
      await pool.query(`COMMENT ON TABLE "${table}" IS 'breadbin 2'`)
      const refused = postgresStore(pool, { table }).read('key', { now: NOW })
      await expect(refused).rejects.toMatchObject({ code: 'STORE_FAILED' })
      await pool.query(`COMMENT ON TABLE "${table}" IS NULL`)
      expect(await postgresStore(pool, { table }).read('key', { now: NOW })).toBeUndefined()
    })

    it('is read on a server that is read-only, and not written', async () => {
      const table = nextTable()
      await postgresStore(pool, { table }).write('key', entry, 0, NOW)
      await withPool({ options: '-c default_transaction_read_only=on' }, async (other) => {
        const store = postgresStore(other, { table })
        expect(await store.read('key', { now: NOW })).toEqual(entry)
        const next = { ...entry, version: 2 }
        await expect(store.write('key', next, 1, NOW)).rejects.toMatchObject({ code: '25006' })
        await expect(store.write('other', entry, 0, NOW)).rejects.toMatchObject({ code: '25006' })
      })
    })
  })
}
