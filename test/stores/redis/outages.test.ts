import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Redis as IoRedis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { redisStore } from '../../../src/stores/redis.ts'
import type { Store } from '../../../src/stores/store.ts'
import { needs } from '../../support/needs.ts'
import { type Redis, startRedis } from '../../support/servers/redis.ts'
import { startProxy } from '../../support/sites/proxy.ts'
import { LATER, NOW } from '../../support/stores/open-store.ts'
import { CLIENTS, type TestClient } from '../../support/stores/redis-clients.ts'
import { mountSmallDisk } from '../../support/stores/small-disk.ts'

const program = needs('redis')
const disk = mountSmallDisk()
const entry = (version: number, text = `text ${version}`) => ({ version, text, expires: LATER })
const isFresh = { now: NOW, fresh: true }

afterAll(() => disk?.remove())

if (program) {
  describe.each(Object.entries(CLIENTS))('redisStore with %s', (_, make) => {
    let redis: Redis
    let proxy: Awaited<ReturnType<typeof startProxy>>
    let own: TestClient
    let admin: IoRedis
    let prefixes = 0

    beforeAll(async () => {
      redis = await startRedis(program)
      proxy = await startProxy(Number(new URL(redis.url).port))
      own = make(`redis://127.0.0.1:${proxy.port}`, 20)
      await own.connect()
      admin = new IoRedis(redis.url)
    })

    afterAll(async () => {
      own.end()
      admin.disconnect()
      await proxy.stop()
      await redis.stop()
    })

    /** A store with version 1 of `key` in it. */
    async function openWritten(): Promise<Store> {
      prefixes += 1
      const store = redisStore(own.client, { prefix: `${prefixes}:` })
      expect(await store.write('key', entry(1), 0, NOW)).toBe(true)
      return store
    }

    it.each(['loseRequest', 'loseAnswer'] as const)(
      'tells no lie when the connection is reset: %s',
      async (lose) => {
        const store = await openWritten()
        proxy[lose]()
        const isWritten = await store.write('key', entry(2), 1, NOW).catch(() => 'unknown')
        const found = await store.read('key', isFresh)
        if (isWritten === 'unknown') expect(found).toEqual(entry(lose === 'loseAnswer' ? 2 : 1))
        else expect([isWritten, found]).toEqual([true, entry(2)])
        const version = Number(found?.version)
        expect(await store.write('key', entry(version + 1), version, NOW)).toBe(true)
      },
    )

    it.each([
      ['its memory is full', ['maxmemory', '1'], ['maxmemory', '0'], /^OOM/],
      [
        'it has too few replicas',
        ['min-replicas-to-write', '1'],
        ['min-replicas-to-write', '0'],
        /^NOREPLICAS/,
      ],
    ] as const)('reads while %s, writes nothing, and goes on afterwards', async (__, begin, end, message) => {
      const store = await openWritten()
      await admin.config('SET', ...begin)
      await expect(store.write('key', entry(2), 1, NOW)).rejects.toThrow(message)
      await expect(store.write('other', entry(1), 0, NOW)).rejects.toThrow(message)
      expect(await store.read('key', { now: NOW })).toEqual(entry(1))
      expect(await store.read('key', isFresh)).toEqual(entry(1))
      expect(await store.read('other', isFresh)).toBeUndefined()
      await admin.config('SET', ...end)
      expect(await store.write('key', entry(2), 1, NOW)).toBe(true)
    })

    it('reads from a replica, writes nothing, and goes on when that becomes the primary', async () => {
      const store = await openWritten()
      // Of nobody: it keeps what it has.
      await admin.replicaof('127.0.0.1', 1)
      const readOnly = /^READONLY/
      await expect(store.write('key', entry(2), 1, NOW)).rejects.toThrow(readOnly)
      await expect(store.delete('key')).rejects.toThrow(readOnly)
      await expect(store.delete('key', 1)).rejects.toThrow(readOnly)
      expect(await store.read('key', isFresh)).toEqual(entry(1))
      await admin.replicaof('NO', 'ONE')
      expect(await store.write('key', entry(2), 1, NOW)).toBe(true)
    })
  })

  if (disk) {
    describe('redisStore on a full disk', () => {
      it('rejects what has no room, and goes on when there is some', { timeout: 60_000 }, async () => {
        const directory = join(disk.path, 'everysec')
        mkdirSync(directory)
        const redis = await startRedis(program, ['--dir', directory, '--appendonly', 'yes'])
        onTestFinished(redis.stop)
        const client = new IoRedis(redis.url, { retryStrategy: () => 20 })
        onTestFinished(() => client.disconnect())
        const store = redisStore(client)
        await store.write('key', entry(1), 0, NOW)
        disk.fill()
        let version = 1
        const write = async () => {
          const isWritten = await store.write('key', entry(version + 1, 'x'.repeat(10_000)), version, NOW)
          version += 1
          return isWritten
        }
        // With `everysec`, Redis acknowledges before it knows whether there is room.
        await expect.poll(() => write().then(() => 'written', String)).toMatch(/MISCONF/)
        await expect(write()).rejects.toThrow(/MISCONF/)
        expect(await store.read('key', isFresh)).toMatchObject({ version })
        disk.free()
        await expect.poll(() => write().catch(() => false)).toBe(true)
        await redis.restart('SIGKILL')
        expect(await store.read('key', isFresh)).toMatchObject({ version })
      })

      it('loses nothing that was acknowledged with appendfsync always, where Redis ends', {
        timeout: 60_000,
      }, async () => {
        const directory = join(disk.path, 'always')
        mkdirSync(directory)
        const settings = ['--dir', directory, '--appendonly', 'yes', '--appendfsync', 'always']
        const redis = await startRedis(program, settings)
        onTestFinished(redis.stop)
        const client = new IoRedis(redis.url, { retryStrategy: () => 20, maxRetriesPerRequest: 1 })
        onTestFinished(() => client.disconnect())
        const store = redisStore(client)
        await store.write('key', entry(1), 0, NOW)
        disk.fill()
        await expect(store.write('key', entry(2, 'x'.repeat(10_000)), 1, NOW)).rejects.toThrow()
        await expect(store.read('key', isFresh)).rejects.toThrow()
        disk.free()
        await redis.start()
        await expect.poll(() => store.read('key', isFresh).catch(() => 'no answer')).toEqual(entry(1))
      })
    })
  }
}
