import { MemcacheClient } from 'memcache-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memcachedStore } from '../../src/stores/memcached.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { needs } from '../support/needs.ts'
import { type Memcached, startMemcached } from '../support/servers/memcached.ts'
import { LATER, NOW } from '../support/stores/open-store.ts'
import { outageSuite } from '../support/stores/outage-suite.ts'
import { exitSuite, processSuite } from '../support/stores/store-processes.ts'

const program = needs('memcached')
const entry = { version: 1, text: 'text', expires: LATER }

if (program) {
  describe('memcachedStore', () => {
    let memcached: Memcached
    let client: MemcacheClient
    let prefixes = 0
    const nextPrefix = () => {
      prefixes += 1
      return `test-${prefixes}:`
    }
    const open = () => memcachedStore(client, { prefix: nextPrefix() })
    const place = () => `memcached://${memcached.address}/#${nextPrefix()}`

    beforeAll(async () => {
      memcached = await startMemcached(program)
      client = new MemcacheClient({ server: memcached.address })
    })

    afterAll(async () => {
      client.shutdown()
      await memcached.stop()
    })

    storeSuite(it, { open, sweeps: false, maxTextBytes: 1_000_000 })
    processSuite(it, 'memcached', place)
    exitSuite(it, 'memcached', place)
    outageSuite(
      it,
      async () => {
        const server = await startMemcached(program)
        const own = new MemcacheClient({ server: server.address })
        return {
          server,
          store: memcachedStore(own),
          async close() {
            own.shutdown()
            await server.stop()
          },
        }
      },
      { survives: false },
    )

    it('is not durable, and scans nothing', () => {
      expect(open()).toMatchObject({ durable: false, versions: expect.any(Function) })
      expect(open().scan).toBeUndefined()
    })

    it('keeps an item that others can read, under the key itself where Memcached takes it', async () => {
      const store = memcachedStore(client)
      await store.write('v:Az09_-.', entry, 0, NOW)
      await store.write('a b', entry, 0, NOW)
      const content = `1 ${LATER}\ntext`
      expect(await client.get('breadbin:v:Az09_-.')).toMatchObject({ value: content })
      const hashed = 'breadbin:#yGh6CKpdbtIEQyj6aml6uOltw0KR6MIDSujDjm_MbWU'
      expect(Object.keys(await client.get([hashed]))).toHaveLength(1)
    })

    it('takes what is no entry of its own as none, and writes over it', async () => {
      const store = memcachedStore(client, { prefix: 'foreign:' })
      await client.set('foreign:key', 'something else', { lifetime: 0 })
      expect(await store.read('key', { now: NOW })).toBeUndefined()
      expect(await store.write('key', entry, 0, NOW)).toBe(true)
      expect(await store.read('key', { now: NOW })).toEqual(entry)
    })

    it('takes longer texts if Memcached does', async () => {
      const store = memcachedStore(client, { maxTextBytes: 10 })
      await expect(store.write('key', { ...entry, text: '12345678901' }, 0, NOW)).rejects.toMatchObject({
        code: 'TOO_LARGE',
      })
      expect(await store.write('key', { ...entry, text: '1234567890' }, 0, NOW)).toBe(true)
    })

    it('leaves the client open when it is closed', async () => {
      await open().close?.()
      expect(await client.version()).toEqual(['VERSION', expect.any(String)])
    })

    it('refuses a prefix that Memcached does not take', () => {
      for (const prefix of ['a b', 'a\n', 'é', 'x'.repeat(101)]) {
        expect(() => memcachedStore(client, { prefix })).toThrow(TypeError)
      }
    })
  })
}
