import { join } from 'node:path'
import { Redis as IoRedis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { layeredStore } from '../../src/stores/layered.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import type { Store } from '../../src/stores/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { makeGate } from '../support/gate.ts'
import { needs } from '../support/needs.ts'
import { restless } from '../support/pages/restless.ts'
import { type Redis, startRedis } from '../support/servers/redis.ts'
import { LATER, NOW, temporaryFolders } from '../support/stores/open-store.ts'

const folders = temporaryFolders()
const openSqlite = () => sqliteStore(join(folders.make(), 'bins.db'))
const entry = (version: number, text = `text ${version}`) => ({ version, text, expires: LATER })
const isFresh = { now: NOW, fresh: true }

afterAll(() => folders.remove())

describe('layeredStore of memory before memory', () => {
  storeSuite(it, { open: () => layeredStore(memoryStore(), memoryStore()) })
})

describe('layeredStore of a front that takes random time before a back that does', () => {
  storeSuite(it, { open: () => layeredStore(restless(memoryStore()), restless(memoryStore())) })
})

describe('layeredStore of a front that forgets all', () => {
  storeSuite(it, { open: () => layeredStore(memoryStore({ maxBytes: 400 }), memoryStore()) })
})

describe('layeredStore', () => {
  it('is as durable as its back, and has its powers', () => {
    const { durable, read, write, delete: remove, sweep } = memoryStore()
    const plain: Store = { durable, read, write, delete: remove, sweep }
    expect(layeredStore(memoryStore(), openSqlite()).durable).toBe(true)
    expect(layeredStore(openSqlite(), memoryStore()).durable).toBe(false)
    expect(layeredStore(memoryStore(), memoryStore())).toMatchObject({ scan: expect.any(Function) })
    expect(Object.keys(layeredStore(memoryStore(), plain))).not.toContain('scan')
  })

  it('asks the back once for what is read again, until maxAgeMs is over', async () => {
    const back = faultyStore(memoryStore())
    const store = layeredStore(memoryStore(), back, { maxAgeMs: 1_000 })
    await store.write('key', entry(1), 0, NOW)
    for (const now of [NOW, NOW, NOW + 999, NOW + 1_000])
      expect(await store.read('key', { now })).toEqual(entry(1))
    expect(back.calls).toEqual(['write', 'read', 'read'])
  })

  it('asks the back for a fresh read', async () => {
    const back = faultyStore(memoryStore())
    const store = layeredStore(memoryStore(), back)
    await store.write('key', entry(1), 0, NOW)
    await store.read('key', { now: NOW })
    expect(await store.read('key', isFresh)).toEqual(entry(1))
    expect(back.calls).toEqual(['write', 'read', 'read'])
  })

  it('drops a copy that made somebody lose a write', async () => {
    const back = memoryStore()
    const store = layeredStore(memoryStore(), back)
    await store.write('key', entry(1), 0, NOW)
    await store.read('key', { now: NOW })
    await back.write('key', entry(2), 1, NOW)
    expect(await store.read('key', { now: NOW })).toEqual(entry(1))
    expect(await store.write('key', entry(3), 1, NOW)).toBe(false)
    expect(await store.read('key', { now: NOW })).toEqual(entry(2))
  })

  it.each(['write', 'delete'] as const)(
    'does not undo a %s that comes while a copy is made',
    async (change) => {
      const { until, open } = makeGate()
      const [front, memory] = [memoryStore(), memoryStore()]
      await memory.write('key', entry(1), 0, NOW)
      // The first read of the back has found version 1, and tells so when all else is over.
      const back = faultyStore(memory, { delayOn: 1, until, held: 'answer' })
      const slow = layeredStore(front, back)
      const quick = layeredStore(front, memory)
      const read = slow.read('key', { now: NOW })
      await expect.poll(() => back.calls.length).toBe(1)
      if (change === 'write') await quick.write('key', entry(2), 1, NOW)
      else await quick.delete('key')
      open()
      expect(await read).toEqual(entry(1))
      expect(await quick.read('key', { now: NOW })).toEqual(change === 'write' ? entry(2) : undefined)
    },
  )

  it('does not make a copy that comes too late, even if another one was made and evicted since', async () => {
    const { until, open } = makeGate()
    const [front, memory] = [memoryStore(), memoryStore()]
    await memory.write('key', entry(1), 0, NOW)
    const back = faultyStore(memory, { delayOn: 1, until, held: 'answer' })
    const slow = layeredStore(front, back)
    const quick = layeredStore(front, memory)
    const read = slow.read('key', { now: NOW })
    await expect.poll(() => back.calls.length).toBe(1)
    await quick.write('key', entry(2), 1, NOW)
    await quick.read('key', { now: NOW })
    await front.delete('key')
    open()
    await read
    expect(await quick.read('key', { now: NOW })).toEqual(entry(2))
  })

  it.each(['request', 'answer'] as const)(
    'loses nothing, whichever %s of the front is lost',
    async (lost) => {
      for (let failOn = 1; failOn <= 12; failOn += 1) {
        const front = faultyStore(memoryStore(), { failOn, lost })
        const store = layeredStore(front, memoryStore(), { maxAgeMs: 1_000 })
        expect(await store.write('key', entry(1), 0, NOW)).toBe(true)
        expect(await store.read('key', { now: NOW })).toEqual(entry(1))
        expect(await store.read('key', { now: NOW })).toEqual(entry(1))
        expect(await store.write('key', entry(2), 1, NOW)).toBe(true)
        expect(await store.read('key', isFresh)).toEqual(entry(2))
        expect(await store.read('key', { now: NOW + 1_000 })).toEqual(entry(2))
        expect(await store.delete('key', 2)).toBe(true)
        expect(await store.read('key', isFresh)).toBeUndefined()
        expect(await store.read('key', { now: NOW + 2_000 })).toBeUndefined()
      }
    },
  )

  it('rejects when the back fails, and makes no copy', async () => {
    for (let failOn = 1; failOn <= 3; failOn += 1) {
      const store = layeredStore(memoryStore(), faultyStore(memoryStore(), { failOn }))
      const calls = [
        () => store.write('key', entry(1), 0, NOW),
        () => store.read('key', { now: NOW }),
        () => store.delete('key'),
      ]
      for (const [index, call] of calls.entries()) {
        if (index + 1 === failOn) await expect(call()).rejects.toMatchObject({ code: 'STORE_FAILED' })
        else await call()
      }
    }
  })

  it('goes on without a front that does not answer', async () => {
    const never = new Promise<never>(() => {})
    const front = faultyStore(memoryStore(), { delayOn: 1, until: never })
    const store = layeredStore(front, memoryStore(), { frontMs: 20 })
    expect(await store.write('key', entry(1), 0, NOW)).toBe(true)
    expect(await store.read('key', { now: NOW })).toEqual(entry(1))
    expect(front.calls).toEqual(['delete'])
  })

  it('passes over a text that is too long for the front, and no other', async () => {
    const front = faultyStore(memoryStore({ maxBytes: 1_000 }))
    const store = layeredStore(front, memoryStore())
    await store.write('long', entry(1, 'x'.repeat(1_000)), 0, NOW)
    await store.write('short', entry(1), 0, NOW)
    expect(await store.read('long', { now: NOW })).toMatchObject({ version: 1 })
    expect(await store.read('short', { now: NOW })).toEqual(entry(1))
    expect(front.calls.slice(-3)).toEqual(['read', 'write', 'write'])
  })

  it('closes both', async () => {
    const [front, back] = [memoryStore(), memoryStore()]
    await layeredStore(front, back).close?.()
    for (const store of [front, back]) {
      await expect(store.read('key', { now: NOW })).rejects.toMatchObject({ code: 'CLOSED' })
    }
  })
})

const redisProgram = needs('redis')

if (redisProgram) {
  describe('layeredStore of Redis before SQLite', () => {
    let redis: Redis
    let client: IoRedis
    let prefixes = 0
    const open = (back = openSqlite()) => {
      prefixes += 1
      return layeredStore(redisStore(client, { prefix: `${prefixes}:` }), back)
    }

    beforeAll(async () => {
      redis = await startRedis(redisProgram)
      client = new IoRedis(redis.url, { retryStrategy: () => 20 })
    })

    afterAll(async () => {
      client?.disconnect()
      await redis?.stop()
    })

    storeSuite(it, { open })

    it('loses nothing in a Redis of 1 MB that evicts', async () => {
      await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
      const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
      await client.config('SET', 'maxmemory', used + 1_048_576)
      const store = open()
      const keys = Array.from({ length: 2_000 }, (_, index) => `key ${index}`)
      for (const key of keys) await store.write(key, entry(1, `${key} `.repeat(300)), 0, NOW)
      for (let round = 0; round < 2; round += 1) {
        for (const key of keys) {
          expect((await store.read(key, { now: NOW }))?.text).toBe(`${key} `.repeat(300))
        }
      }
      expect(Number(/evicted_keys:(\d+)/.exec(await client.info('stats'))?.[1])).toBeGreaterThan(1_000)
      await client.config('SET', 'maxmemory', 0)
      await store.close?.()
    }, 60_000)

    it('goes on while Redis is paused, is gone and comes back', { timeout: 60_000 }, async () => {
      const store = open()
      let version = 0
      const step = async () => {
        expect(await store.write('key', entry(version + 1), version, NOW)).toBe(true)
        version += 1
        expect(await store.read('key', isFresh)).toEqual(entry(version))
        expect(await store.read(`other ${version}`, { now: NOW })).toBeUndefined()
      }
      await step()
      await redis.pause()
      await step()
      redis.resume()
      await step()
      await redis.halt()
      await step()
      await redis.start()
      await step()
      await store.close?.()
    })
  })
}
