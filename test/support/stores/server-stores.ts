import { createRequire } from 'node:module'
import { memcachedStore } from '../../../src/stores/memcached.ts'
import { mysqlStore } from '../../../src/stores/mysql.ts'
import { postgresStore } from '../../../src/stores/postgres.ts'
import { redisStore } from '../../../src/stores/redis.ts'
import type { Store } from '../../../src/stores/store.ts'

// Not imported: a process of the tests loads the one client that it needs.
const require = createRequire(import.meta.url)

/** The calls of 50 processes that write one row wait for each other. */
const timeoutMs = 60_000

/** Opens a store with a client of its own, at a place such as `redis://127.0.0.1:6379/#prefix`; closing it ends both. */
export function openServerStore(kind: string, place: string): Store | undefined {
  const { host, hash, protocol } = new URL(place, 'file:')
  const prefix = `${hash.slice(1)}:`
  const url = `${protocol}//${host}`
  if (kind === 'ioredis') {
    const { Redis } = require('ioredis') as typeof import('ioredis')
    const client = new Redis(url)
    return withEnd(redisStore(client, { prefix }), () => client.disconnect())
  }
  if (kind === 'node-redis') {
    const { createClient } = require('redis') as typeof import('redis')
    const client = createClient({ url })
    const connected = client.connect()
    return withEnd(redisStore(client, { prefix }), async () => {
      await connected
      client.destroy()
    })
  }
  if (kind === 'pg') {
    const { Pool } = require('pg') as typeof import('pg')
    const pool = new Pool({ connectionString: place })
    return withEnd(postgresStore(pool, { table: hash.slice(1), timeoutMs }), () => pool.end())
  }
  if (kind === 'mysql2') {
    const { createPool } = require('mysql2/promise') as typeof import('mysql2/promise')
    const pool = createPool(place)
    return withEnd(mysqlStore(pool, { table: hash.slice(1), timeoutMs }), () => pool.end())
  }
  if (kind === 'memcached') {
    const { MemcacheClient } = require('memcache-client') as typeof import('memcache-client')
    const client = new MemcacheClient({ server: host })
    return withEnd(memcachedStore(client, { prefix }), () => client.shutdown())
  }
  return undefined
}

function withEnd(store: Store, end: () => unknown): Store {
  return {
    ...store,
    async close() {
      await store.close?.()
      await end()
    },
  }
}
