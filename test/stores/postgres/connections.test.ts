import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeTable } from '../../../src/stores/postgres/statements.ts'
import { postgresStore } from '../../../src/stores/postgres.ts'
import { needs } from '../../support/needs.ts'
import { type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { unprivileged } from '../../support/servers/program.ts'
import { startProxy } from '../../support/sites/proxy.ts'
import { fullDiskSuite } from '../../support/stores/full-disk-suite.ts'
import { LATER, NOW } from '../../support/stores/open-store.ts'
import { outageSuite } from '../../support/stores/outage-suite.ts'
import { mountSmallDisk } from '../../support/stores/small-disk.ts'

const program = needs('postgres')
const disk = mountSmallDisk()
const entry = { version: 1, text: 'text', expires: LATER }

if (program) {
  let postgres: Postgres
  let pool: Pool

  beforeAll(async () => {
    postgres = await startPostgres(program)
    pool = new Pool({ connectionString: postgres.url })
    // It has ended before its connections have, and then the server ends them.
    pool.on('error', () => {})
  })

  afterAll(async () => {
    await pool.end()
    await postgres.stop()
    disk?.remove()
  })

  /** A pool of its own for one test. */
  async function withPool(options: object, use: (own: Pool) => Promise<void>): Promise<void> {
    const own = new Pool({ connectionString: postgres.url, ...options })
    try {
      await use(own)
    } finally {
      await own.end()
    }
  }

  if (disk) {
    describe('postgresStore of a server whose disk is full', () => {
      beforeAll(async () => {
        const folder = disk.makeFolder('postgres', unprivileged('postgres'))
        await pool.query(`CREATE TABLESPACE small LOCATION '${folder}'`)
        const sql = writeTable('"full"', '"full_expires"')
        await pool.query(sql.replace(');', ') TABLESPACE small;'))
      })

      fullDiskSuite(it, disk, () => postgresStore(pool, { table: 'full' }))
    })
  }

  describe('postgresStore of a pool', () => {
    const left = ['BEGIN', 'BEGIN READ ONLY', 'BEGIN; SELECT 1 / 0']

    it.each(left)('writes in no transaction that somebody else has left open by %s', (begin) =>
      withPool({ max: 1 }, async (own) => {
        const store = postgresStore(own, { table: 'left' })
        await store.delete('key')
        const client = await own.connect()
        await client.query(begin).catch(() => {})
        client.release()
        expect(await store.write('key', entry, 0, NOW)).toBe(true)
        await own.query('ROLLBACK')
        expect(await store.read('key', { now: NOW })).toEqual(entry)
      }),
    )

    it.each(left)(
      'writes in no transaction of which the client that is released does not know yet: %s',
      (begin) =>
        withPool({ max: 1 }, async (own) => {
          const store = postgresStore(own, { table: 'left' })
          await store.delete('key')
          const client = await own.connect()
          // It waits for the client.
          const written = store.write('key', entry, 0, NOW)
          if (begin.includes('1 / 0')) {
            // The callback runs at the error, before the server says in which state it leaves the connection.
            client.query(begin, () => client.release())
          } else {
            client.query(begin)
            client.release()
          }
          expect(await written).toBe(true)
          await own.query('ROLLBACK')
          expect(await store.read('key', { now: NOW })).toEqual(entry)
        }),
    )

    it('lets a transaction end that somebody commits without waiting', () =>
      withPool({ max: 1 }, async (own) => {
        const store = postgresStore(own, { table: 'left' })
        await own.query('CREATE TABLE theirs (id int)')
        const client = await own.connect()
        await client.query('BEGIN')
        const ended = Promise.all([client.query('INSERT INTO theirs VALUES (1)'), client.query('COMMIT')])
        client.release()
        expect(await store.read('nothing', { now: NOW })).toBeUndefined()
        await ended
        expect((await own.query('SELECT id FROM theirs')).rows).toEqual([{ id: 1 }])
      }))

    it.each(['DISCARD ALL', 'DEALLOCATE ALL'])('goes on after somebody has sent %s', (discard) =>
      withPool({ max: 1 }, async (own) => {
        const store = postgresStore(own, { table: 'left' })
        await store.read('key', { now: NOW })
        await own.query(discard)
        expect(await store.read('nothing', { now: NOW })).toBeUndefined()
      }),
    )

    it('rejects where the pool has nothing but connections in a transaction', () =>
      withPool({}, async (own) => {
        let [connections, destroyed] = [0, 0]
        own.on('connect', (client) => {
          connections += 1
          client.query('BEGIN')
        })
        own.on('release', (error) => {
          if (error) destroyed += 1
        })
        const store = postgresStore(own, { table: 'left' })
        const refused = { code: 'STORE_FAILED', message: expect.stringMatching(/in a transaction/) }
        await expect(store.write('key', entry, 0, NOW)).rejects.toMatchObject(refused)
        expect([connections, destroyed]).toEqual([21, 21])
      }))
  })

  describe('postgresStore of a server that fails', () => {
    outageSuite(it, async () => {
      const server = await startPostgres(program)
      const own = new Pool({ connectionString: server.url })
      return {
        server,
        store: postgresStore(own),
        async close() {
          await own.end()
          await server.stop()
        },
      }
    })

    it('never answers a write whose connection was lost, and goes on', async () => {
      const proxy = await startProxy(Number(new URL(postgres.url).port))
      await withPool(
        { connectionString: Object.assign(new URL(postgres.url), { port: proxy.port }).href },
        async (own) => {
          const store = postgresStore(own, { table: 'lost' })
          await store.write('key', entry, 0, NOW)
          for (const lose of [proxy.loseRequest, proxy.loseAnswer]) {
            const version = (await store.read('key', { now: NOW }))?.version ?? 0
            lose()
            const next = { ...entry, version: version + 1 }
            await expect(store.write('key', next, version, NOW)).rejects.toThrow()
            const isWritten = lose === proxy.loseAnswer
            expect(await store.read('key', { now: NOW })).toEqual(isWritten ? next : { ...entry, version })
          }
        },
      )
      await proxy.stop()
    })

    it('rejects in time what gets no answer, and what waits for a connection is never begun', async () => {
      const proxy = await startProxy(Number(new URL(postgres.url).port))
      const connectionString = Object.assign(new URL(postgres.url), { port: proxy.port }).href
      await withPool({ connectionString, max: 2, connectionTimeoutMillis: 1_000 }, async (own) => {
        const store = postgresStore(own, { table: 'blocked', timeoutMs: 300 })
        await store.read('key', { now: NOW })
        proxy.block()
        const writes = Array.from({ length: 20 }, (_, index) => store.write(`key ${index}`, entry, 0, NOW))
        const results = await Promise.allSettled(writes)
        for (const result of results) {
          expect(result).toMatchObject({ status: 'rejected', reason: { code: 'STORE_TIMEOUT' } })
        }
        proxy.unblock()
        await expect
          .poll(() => store.read('key', { now: NOW }).then(() => 'answered', String))
          .toBe('answered')
        expect(await store.scan?.(undefined, 100)).toEqual({ entries: [] })
      })
      await proxy.stop()
    })

    it('rejects in time when there is no other connection in place of one in a transaction', async () => {
      const proxy = await startProxy(Number(new URL(postgres.url).port))
      const connectionString = Object.assign(new URL(postgres.url), { port: proxy.port }).href
      await withPool({ connectionString, max: 1, connectionTimeoutMillis: 1_000 }, async (own) => {
        const store = postgresStore(own, { table: 'left', timeoutMs: 300 })
        await store.delete('key')
        own.once('remove', proxy.block)
        await own.query('BEGIN')
        await expect(store.write('key', entry, 0, NOW)).rejects.toMatchObject({ code: 'STORE_TIMEOUT' })
        proxy.unblock()
        await expect
          .poll(() => store.read('key', { now: NOW }).then(() => 'answered', String))
          .toBe('answered')
        expect(await store.read('key', { now: NOW })).toBeUndefined()
      })
      await proxy.stop()
    })

    it('lets the process live when idle connections end', () =>
      withPool({}, async (own) => {
        const store = postgresStore(own)
        await store.read('key', { now: NOW })
        await pool.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
        )
        await expect.poll(() => own.totalCount).toBe(0)
        expect(await store.read('key', { now: NOW })).toBeUndefined()
      }))
  })
}
