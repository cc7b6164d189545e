import { MemcacheClient } from 'memcache-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { memcachedStore } from '../../../src/stores/memcached.ts'
import { needs } from '../../support/needs.ts'
import { startMemcached } from '../../support/servers/memcached.ts'
import { startProxy } from '../../support/sites/proxy.ts'
import { LATER, NOW } from '../../support/stores/open-store.ts'

const program = needs('memcached')
const entry = (version: number, text = `text ${version}`) => ({ version, text, expires: LATER })

if (program) {
  describe('memcachedStore', () => {
    it('never answers a write whose connection was reset, and goes on', async () => {
      const memcached = await startMemcached(program)
      onTestFinished(memcached.stop)
      const proxy = await startProxy(Number(memcached.address.split(':')[1]))
      onTestFinished(proxy.stop)
      const client = new MemcacheClient({ server: `127.0.0.1:${proxy.port}` })
      onTestFinished(() => client.shutdown())
      let lose = () => {}
      const losing: typeof client = Object.assign(Object.create(client), {
        cas(...args: Parameters<typeof client.cas>) {
          lose()
          return client.cas(...args)
        },
      })
      const store = memcachedStore(losing)
      await store.write('key', entry(1), 0, NOW)
      lose = proxy.loseRequest
      await expect(store.write('key', entry(2), 1, NOW)).rejects.toThrow()
      expect(await store.read('key', { now: NOW })).toEqual(entry(1))
      lose = proxy.loseAnswer
      await expect(store.write('key', entry(2), 1, NOW)).rejects.toThrow()
      await expect.poll(() => store.read('key', { now: NOW })).toEqual(entry(2))
      lose = () => {}
      expect(await store.write('key', entry(3), 2, NOW)).toBe(true)
    })

    it('rejects what has no room where Memcached may not evict, keeps what it has, and goes on', async () => {
      const memcached = await startMemcached(program, ['-m', '2', '-M'])
      onTestFinished(memcached.stop)
      const client = new MemcacheClient({ server: memcached.address })
      onTestFinished(() => client.shutdown())
      const store = memcachedStore(client)
      const text = 'x'.repeat(10_000)
      await store.write('key', entry(1, text), 0, NOW)
      const full = /out of memory/
      const fill = async () => {
        for (let index = 0; index < 1_000; index += 1) await store.write(`${index}`, entry(1, text), 0, NOW)
      }
      await expect(fill()).rejects.toThrow(full)
      await expect(store.write('key', entry(2, text), 1, NOW)).rejects.toThrow(full)
      expect(await store.read('key', { now: NOW })).toEqual(entry(1, text))
      await client.cmd('flush_all')
      expect(await store.write('key', entry(1, text), 0, NOW)).toBe(true)
    })
  })
}
