// The systems of stores.mjs. Each is started on this machine, in a temporary folder, with the settings that docs/stores.md
// asks for, and opens any number of stores beside each other. `fill` is a store on which a million records are soon written.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from '../test/support/programs.ts'
import { startMemcached } from '../test/support/servers/memcached.ts'
import { startMariadb } from '../test/support/servers/mysql.ts'
import { startPostgres } from '../test/support/servers/postgres.ts'
import { startRedis } from '../test/support/servers/redis.ts'

const SYSTEMS = {
  async memory() {
    const { memoryStore } = await import('breadbin/stores/memory')
    const stores = new Map()
    return {
      open(name) {
        const store = stores.get(name) ?? memoryStore({ maxBytes: 4 * 1_024 ** 3 })
        stores.set(name, store)
        return store
      },
      close() {},
    }
  },

  async file() {
    const { fileStore } = await import('breadbin/stores/file')
    return inFolder((folder, name) => fileStore(join(folder, name)))
  },

  async sqlite() {
    const { sqliteStore } = await import('breadbin/stores/sqlite')
    return inFolder((folder, name) => sqliteStore(join(folder, `${name}.db`)))
  },

  /** The same in shared memory, as Linux has it. */
  async 'sqlite-shm'() {
    const { sqliteStore } = await import('breadbin/stores/sqlite')
    return inFolder((folder, name) => sqliteStore(join(folder, `${name}.db`)), '/dev/shm')
  },

  async postgres() {
    const { Pool } = await import('pg')
    const { postgresStore } = await import('breadbin/stores/postgres')
    const server = await startPostgres(found('postgres'), ['fsync=on'])
    const pool = new Pool({ connectionString: server.url })
    // Nobody waits for the disk while a million records are written.
    const quick = new Pool({ connectionString: server.url, options: '-c synchronous_commit=off' })
    return {
      open: (table) => postgresStore(pool, { table }),
      fill: (table) => postgresStore(quick, { table }),
      async close() {
        await Promise.all([pool.end(), quick.end()])
        await server.stop()
      },
    }
  },

  async mariadb() {
    const { createPool } = await import('mysql2/promise')
    const { mysqlStore } = await import('breadbin/stores/mysql')
    const server = await startMariadb(found('mariadb'))
    const pool = createPool(server.url)
    return {
      open: (table) => mysqlStore(pool, { table }),
      async close() {
        await pool.end()
        await server.stop()
      },
    }
  },

  async redis() {
    const { Redis } = await import('ioredis')
    const { redisStore } = await import('breadbin/stores/redis')
    const server = await startRedis(found('redis'), ['--appendonly', 'yes', '--appendfsync', 'everysec'])
    const client = new Redis(server.url)
    return {
      open: (name) => redisStore(client, { prefix: `${name}:` }),
      async close() {
        client.disconnect()
        await server.stop()
      },
    }
  },

  async memcached() {
    const { MemcacheClient } = await import('memcache-client')
    const { memcachedStore } = await import('breadbin/stores/memcached')
    const server = await startMemcached(found('memcached'))
    const client = new MemcacheClient({ server: server.address })
    return {
      open: (name) => memcachedStore(client, { prefix: `${name}:` }),
      async close() {
        client.shutdown()
        await server.stop()
      },
    }
  },
}

export const NAMES = Object.keys(SYSTEMS)

/** Starts a system: `open(name)` opens a store in it, `fill(name)` the same one for a great many writes. */
export async function openSystem(name) {
  const system = await SYSTEMS[name]()
  return { name, fill: system.open, ...system }
}

function inFolder(openIn, parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, 'breadbin-bench-'))
  return {
    open: (name) => openIn(folder, name),
    close: () => rmSync(folder, { recursive: true }),
  }
}

function found(name) {
  const path = findProgram(name)
  if (path) return path
  throw new Error(`${name} is not installed`)
}
