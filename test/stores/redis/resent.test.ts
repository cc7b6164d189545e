import { Redis as IoRedis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisStore } from '../../../src/stores/redis.ts'
import type { Store } from '../../../src/stores/store.ts'
import { needs } from '../../support/needs.ts'
import { type Redis, startRedis } from '../../support/servers/redis.ts'
import { startProxy } from '../../support/sites/proxy.ts'
import { LATER, NOW } from '../../support/stores/open-store.ts'
import { CLIENTS, type TestClient } from '../../support/stores/redis-clients.ts'

const program = needs('redis')
const entry = (version: number, text = `text ${version}`) => ({ version, text, expires: LATER })
const isFresh = { now: NOW, fresh: true }

if (program) {
  describe.each(Object.entries(CLIENTS))(
    'redisStore with %s, when an answer is lost and others write',
    (kind, make) => {
      // node-redis does not send again what may have taken place: it says that it does not know.
      const heard = (answer: boolean) => (kind === 'ioredis' ? answer : 'unknown')
      let redis: Redis
      let proxy: Awaited<ReturnType<typeof startProxy>>
      let own: TestClient
      let admin: IoRedis
      let [prefix, prefixes] = ['', 0]

      beforeAll(async () => {
        redis = await startRedis(program)
        proxy = await startProxy(Number(new URL(redis.url).port))
        // So late that others come in between.
        own = make(`redis://127.0.0.1:${proxy.port}`, 300)
        await own.connect()
        admin = new IoRedis(redis.url)
      })

      afterAll(async () => {
        own.end()
        admin.disconnect()
        await proxy.stop()
        await redis.stop()
      })

      /** The store, and the same one as others have it. */
      async function open() {
        prefixes += 1
        prefix = `${prefixes}:`
        const store = redisStore(own.client, { prefix })
        const others = redisStore(admin, { prefix })
        // Both scripts are known, and the connection is there.
        await store.write('warm', entry(1), 0, NOW)
        await store.delete('warm')
        return { store, others }
      }

      /** Does something whose answer is lost, and something of others once it has taken place. */
      async function loseAnswer(
        work: () => Promise<boolean>,
        hasTakenPlace: () => Promise<boolean>,
        meanwhile: () => Promise<unknown>,
      ): Promise<boolean | 'unknown'> {
        proxy.loseAnswer()
        const answer = work().catch(() => 'unknown' as const)
        await expect.poll(hasTakenPlace, { interval: 2 }).toBe(true)
        await meanwhile()
        return answer
      }

      const hasVersion = (others: Store, version: number | undefined) => async () =>
        (await others.read('key', isFresh))?.version === version

      it.each([1, 31])('says that a write took place, after %i writes of others', async (writes) => {
        const { store, others } = await open()
        await others.write('key', entry(1), 0, NOW)
        const answer = await loseAnswer(
          () => store.write('key', entry(2), 1, NOW),
          hasVersion(others, 2),
          async () => {
            for (let version = 3; version < 3 + writes; version += 1) {
              expect(await others.write('key', entry(version), version - 1, NOW)).toBe(true)
            }
          },
        )
        expect(answer).toBe(heard(true))
        expect(await store.read('key', isFresh)).toEqual(entry(2 + writes))
      })

      it.each([undefined, 5])('does not undo the deletion of what it has created: %s', async (expected) => {
        const { store, others } = await open()
        const answer = await loseAnswer(
          () => store.write('key', entry(5), 0, NOW),
          hasVersion(others, 5),
          async () => expect(await others.delete('key', expected)).toBe(true),
        )
        expect(answer).toBe(heard(true))
        expect(await store.read('key', isFresh)).toBeUndefined()
      })

      it('says that a write took place which others have deleted, and written anew', async () => {
        const { store, others } = await open()
        await others.write('key', entry(1), 0, NOW)
        const answer = await loseAnswer(
          () => store.write('key', entry(2), 1, NOW),
          hasVersion(others, 2),
          async () => {
            await others.delete('key')
            expect(await others.write('key', entry(3), 0, NOW)).toBe(true)
          },
        )
        expect(answer).toBe(heard(true))
        expect(await store.read('key', isFresh)).toEqual(entry(3))
      })

      it.each([undefined, 1])('deletes nothing that others have created since: %s', async (expected) => {
        const { store, others } = await open()
        await others.write('key', entry(1), 0, NOW)
        const answer = await loseAnswer(
          () => store.delete('key', expected),
          hasVersion(others, undefined),
          async () => expect(await others.write('key', entry(2), 0, NOW)).toBe(true),
        )
        expect(answer).toBe(heard(true))
        expect(await store.read('key', isFresh)).toEqual(entry(2))
      })

      it('keeps nothing of a deleted record but random characters, for a minute', async () => {
        const { store } = await open()
        await store.write('key', { ...entry(1), expires: Infinity }, 0, NOW)
        expect(await store.delete('key')).toBe(true)
        expect(await admin.hgetall(`${prefix}key`)).toEqual({
          nonce: expect.stringMatching(/^[\w-]{24}$/),
        })
        expect(await admin.pttl(`${prefix}key`)).toBeGreaterThan(50_000)
        expect(await admin.pttl(`${prefix}key`)).toBeLessThanOrEqual(60_000)
      })

      it('has no entry where one was deleted, until one is created, which stays', async () => {
        const { store } = await open()
        await store.write('key', entry(1), 0, NOW)
        await store.delete('key', 1)
        expect(await store.read('key', { now: NOW })).toBeUndefined()
        expect(await store.versions?.(['key'], NOW)).toEqual(new Map())
        expect(await store.scan?.(undefined, 1_000)).toEqual({ entries: [] })
        expect(await store.delete('key')).toBe(false)
        expect(await store.delete('key', 1)).toBe(false)
        expect(await store.write('key', entry(2), 1, NOW)).toBe(false)
        expect(await store.write('key', { ...entry(2), expires: Infinity }, 0, NOW)).toBe(true)
        expect(await admin.pttl(`${prefix}key`)).toBe(-1)
      })

      it('writes over and deletes what an earlier version has written', async () => {
        const { store } = await open()
        const nonce = '6c84fb90-12c4-11e1-840d-7b25c5ee775a'
        for (const key of ['key', 'other']) {
          const fields = { version: 1, expires: LATER, text: 'text 1', nonce }
          await admin.hset(`${prefix}${key}`, fields)
        }
        expect(await store.write('key', entry(2), 1, NOW)).toBe(true)
        expect(await store.read('key', isFresh)).toEqual(entry(2))
        expect(await store.delete('other', 1)).toBe(true)
        expect(await store.read('other', isFresh)).toBeUndefined()
      })

      it('deletes while the memory of Redis is full', async () => {
        const { store } = await open()
        for (const key of ['key', 'other']) await store.write(key, entry(1), 0, NOW)
        await admin.config('SET', 'maxmemory', '1')
        try {
          expect(await store.delete('key', 1)).toBe(true)
          expect(await store.delete('other')).toBe(true)
        } finally {
          await admin.config('SET', 'maxmemory', '0')
        }
      })

      it('keeps the nonces of 32 writes and no more', async () => {
        const { store } = await open()
        for (let version = 1; version <= 40; version += 1) {
          await store.write('key', entry(version), version - 1, NOW)
        }
        expect(await admin.hstrlen(`${prefix}key`, 'nonce')).toBe(32 * 12)
      })
    },
  )
}
