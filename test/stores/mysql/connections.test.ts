import { createPool, type Pool, type PoolOptions, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeTable } from '../../../src/stores/mysql/statements.ts'
import { mysqlStore } from '../../../src/stores/mysql.ts'
import type { Mysql } from '../../support/servers/mysql.ts'
import { unprivileged } from '../../support/servers/program.ts'
import { startProxy } from '../../support/sites/proxy.ts'
import { fullDiskSuite } from '../../support/stores/full-disk-suite.ts'
import { mysqlServers } from '../../support/stores/mysql-servers.ts'
import { LATER, NOW } from '../../support/stores/open-store.ts'
import { outageSuite } from '../../support/stores/outage-suite.ts'
import { mountSmallDisk } from '../../support/stores/small-disk.ts'

const disk = mountSmallDisk()
const entry = { version: 1, text: 'text', expires: LATER }

afterAll(() => disk?.remove())

describe.each(mysqlServers())('$name', ({ name, start }) => {
  let server: Mysql
  let pool: Pool

  beforeAll(async () => {
    server = await start({ tables: disk?.path })
    pool = createPool(server.url)
  })

  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  /** A pool of its own for one test. */
  async function withPool(options: PoolOptions, use: (own: Pool) => Promise<void>): Promise<void> {
    const own = createPool({ uri: server.url, ...options })
    try {
      await use(own)
    } finally {
      // It rejects if a connection could not be made meanwhile.
      await own.end().catch(() => {})
    }
  }

  if (disk) {
    describe('mysqlStore of a table whose disk is full', () => {
      beforeAll(async () => {
        const folder = disk.makeFolder(name, unprivileged('mysql'))
        await pool.query(writeTable('full').replace(/;$/, ` DATA DIRECTORY = '${folder}'`))
      })

      // The next database needs the room.
      afterAll(() => pool.query('DROP TABLE full'))

      // MariaDB 10.11 ends ("Out of disk space in rollback") where a text that has no room is longer than half a page of
      // 16 KB, and where it cannot write its logs.
      fullDiskSuite(it, disk, () => mysqlStore(pool, { table: 'full' }), { textLength: 5_000 })

      it('is told that the table is full', async () => {
        const store = mysqlStore(pool, { table: 'full' })
        disk.fill()
        const fill = async () => {
          for (let index = 0; index < 1_000; index += 1) {
            await store.write(`other ${index}`, { ...entry, text: 'x'.repeat(5_000) }, 0, NOW)
          }
        }
        await expect(fill()).rejects.toMatchObject({ code: 'ER_RECORD_FILE_FULL' })
        disk.free()
      })
    })
  }

  describe('mysqlStore of a pool', () => {
    it.each(['START TRANSACTION', 'START TRANSACTION READ ONLY', 'SET autocommit = 0'])(
      'writes past a connection that somebody has left after %s',
      (begin) =>
        withPool({ connectionLimit: 1 }, async (own) => {
          const store = mysqlStore(own, { table: 'left' })
          await store.delete('key')
          const connection = await own.getConnection()
          // Nobody waits for it: the state is known by the answer to what the store asks.
          const begun = connection.query(begin)
          connection.release()
          expect(await store.write('key', entry, 0, NOW)).toBe(true)
          await begun
          await own.query('ROLLBACK')
          expect(await store.read('key', { now: NOW })).toEqual(entry)
        }),
    )

    it('rejects where the pool has nothing but connections in a transaction', () =>
      withPool({}, async (own) => {
        let connections = 0
        own.on('connection', (connection) => {
          connections += 1
          connection.query('START TRANSACTION')
        })
        const store = mysqlStore(own, { table: 'left' })
        const refused = { code: 'STORE_FAILED', message: expect.stringMatching(/in a transaction/) }
        await expect(store.write('key', entry, 0, NOW)).rejects.toMatchObject(refused)
        expect(connections).toBe(21)
      }))
  })

  describe('mysqlStore of a server that fails', () => {
    const open = async () => {
      const failing = await start()
      const own = createPool(failing.url)
      return {
        server: failing,
        store: mysqlStore(own),
        async close() {
          await own.end()
          await failing.stop()
        },
      }
    }
    // MySQL takes 1.4 s to start.
    outageSuite(it, open, { kills: name === 'MySQL' ? 20 : 100 })

    it('never answers a write whose connection was lost, and goes on', async () => {
      const proxy = await startProxy(Number(new URL(server.url).port))
      const uri = Object.assign(new URL(server.url), { port: proxy.port }).href
      await withPool({ uri }, async (own) => {
        const store = mysqlStore(own, { table: 'lost' })
        for (const version of [1, 2]) {
          // Prepared beforehand: it is not the preparation that gets lost.
          await store.write(`key ${version}`, entry, 0, NOW)
          await store.write(`key ${version}`, { ...entry, version: 2 }, 1, NOW)
        }
        for (const lose of [proxy.loseRequest, proxy.loseAnswer]) {
          const before = await store.read('key 1', { now: NOW })
          const version = before?.version ?? 0
          const next = { ...entry, version: version + 1 }
          lose()
          await expect(store.write('key 1', next, version, NOW)).rejects.toThrow()
          const isWritten = lose === proxy.loseAnswer
          expect(await store.read('key 1', { now: NOW })).toEqual(isWritten ? next : before)
          await store.write(
            'key 1',
            { ...next, version: version + 2 },
            isWritten ? version + 1 : version,
            NOW,
          )
        }
      })
      await proxy.stop()
    })

    it('rejects in time what gets no answer, and what waits for a connection is never begun', async () => {
      const proxy = await startProxy(Number(new URL(server.url).port))
      const uri = Object.assign(new URL(server.url), { port: proxy.port }).href
      await withPool({ uri, connectionLimit: 2, connectTimeout: 1_000 }, async (own) => {
        const store = mysqlStore(own, { table: 'blocked', timeoutMs: 300 })
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

    it('lets the process live when idle connections end', () =>
      withPool({}, async (own) => {
        const store = mysqlStore(own)
        await store.read('key', { now: NOW })
        const [[row] = []] = await own.query<RowDataPacket[]>('SELECT CONNECTION_ID() AS id')
        await pool.query(`KILL ${row?.id}`)
        await expect.poll(() => store.read('key', { now: NOW }).catch(() => 'failed')).toBeUndefined()
      }))
  })
})
