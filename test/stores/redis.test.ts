import { Cluster, Redis as IoRedis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisStoreClient, redisStore } from '../../src/stores/redis.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { needs } from '../support/needs.ts'
import { type Redis, type RedisCluster, startRedis, startRedisCluster } from '../support/servers/redis.ts'
import { LATER, NOW } from '../support/stores/open-store.ts'
import { outageSuite } from '../support/stores/outage-suite.ts'
import { exitSuite, processSuite } from '../support/stores/store-processes.ts'

const program = needs('redis')
const entry = { version: 1, text: 'text', expires: LATER }
let prefixes = 0

const nextNumber = () => {
  prefixes += 1
  return prefixes
}

interface Client {
  readonly client: RedisStoreClient
  run(...args: [string, ...string[]]): Promise<unknown>
  isOpen(): boolean
  end(): unknown
}

async function openIoRedis(url: string): Promise<Client> {
  const client = new IoRedis(url, { retryStrategy: () => 20 })
  return {
    client,
    run: (name, ...args) => client.call(name, args),
    isOpen: () => client.status === 'ready',
    end: () => client.disconnect(),
  }
}

async function openNodeRedis(url: string): Promise<Client> {
  const client = createClient({ url, socket: { reconnectStrategy: () => 20 } })
  client.on('error', () => {})
  await client.connect()
  return {
    client,
    run: (...args) => client.sendCommand(args),
    isOpen: () => client.isReady,
    end: () => client.destroy(),
  }
}

if (program) {
  describe.each(Object.entries({ ioredis: openIoRedis, 'node-redis': openNodeRedis }))(
    'redisStore with %s',
    (kind, connect) => {
      let redis: Redis
      let own: Client
      const nextPrefix = () => `test ${nextNumber()}*[a]?:`
      const open = () => redisStore(own.client, { prefix: nextPrefix() })

      beforeAll(async () => {
        redis = await startRedis(program)
        own = await connect(redis.url)
      })

      afterAll(async () => {
        own.end()
        await redis.stop()
      })

      storeSuite(it, { open, sweeps: false })
      processSuite(it, kind, () => `${redis.url}/#${nextNumber()}`)
      exitSuite(it, kind, () => `${redis.url}/#${nextNumber()}`)
      outageSuite(it, async () => {
        const server = await startRedis(program, ['--appendonly', 'yes', '--appendfsync', 'always'])
        const client = await connect(server.url)
        return {
          server,
          store: redisStore(client.client),
          async close() {
            client.end()
            await server.stop()
          },
        }
      })

      it('is durable, and has every optional power', () => {
        const powers = { versions: expect.any(Function), scan: expect.any(Function) }
        expect(open()).toMatchObject({ durable: true, ...powers })
      })

      it('keeps a record as a hash that others can read, which Redis deletes an hour after it has expired', async () => {
        const store = redisStore(own.client)
        await store.write('key', entry, 0, NOW)
        const fields = await own.run('HMGET', 'breadbin:key', 'version', 'expires', 'text')
        expect(fields).toEqual(['1', String(LATER), 'text'])
        expect(await own.run('PEXPIRETIME', 'breadbin:key')).toBe(LATER + 3_600_000)
        await store.write('key', { version: 2, text: 'text', expires: Infinity }, 1, NOW)
        expect(await own.run('PEXPIRETIME', 'breadbin:key')).toBe(-1)
      })

      it('keeps prefixes apart', async () => {
        const [one, other] = [
          redisStore(own.client, { prefix: 'a*' }),
          redisStore(own.client, { prefix: 'ab' }),
        ]
        await other.write('key', entry, 0, NOW)
        expect(await one.read('key', { now: NOW })).toBeUndefined()
        expect(await one.scan?.(undefined, 100_000)).toEqual({ entries: [] })
      })

      it('does not scan what is no record of its own', async () => {
        const prefix = nextPrefix()
        await own.run('SET', `${prefix}string`, 'x')
        await own.run('HSET', `${prefix}hash`, 'field', 'x')
        expect(await redisStore(own.client, { prefix }).scan?.(undefined, 1_000)).toMatchObject({
          entries: [],
        })
      })

      it('goes on when Redis has forgotten the scripts', async () => {
        const store = open()
        await store.write('key', entry, 0, NOW)
        await own.run('SCRIPT', 'FLUSH')
        expect(await store.write('key', { ...entry, version: 2 }, 1, NOW)).toBe(true)
        await own.run('SCRIPT', 'FLUSH')
        expect(await store.read('key', { now: NOW, fresh: true })).toMatchObject({ version: 2 })
      })

      it('leaves the client open when it is closed', async () => {
        await open().close?.()
        expect(own.isOpen()).toBe(true)
      })
    },
  )

  describe('redisStore with ioredis', () => {
    it('knows its own write when the client sends it again', async () => {
      const redis = await startRedis(program)
      const client = new IoRedis(redis.url)
      // What ioredis does when the connection is lost before the answer is there.
      const twice = Object.assign(Object.create(client) as IoRedis, {
        async call(name: string, args: string[]) {
          await client.call(name, args)
          return client.call(name, args)
        },
      })
      const store = redisStore(twice)
      expect(await store.write('key', entry, 0, NOW)).toBe(true)
      expect(await store.write('key', { ...entry, version: 2 }, 1, NOW)).toBe(true)
      expect(await store.write('key', { ...entry, version: 3 }, 1, NOW)).toBe(false)
      client.disconnect()
      await redis.stop()
    })

    it('refuses a client that adds a prefix of its own', () => {
      const client = new IoRedis({ keyPrefix: 'site:', lazyConnect: true })
      expect(() => redisStore(client)).toThrow(TypeError)
    })
  })

  describe('redisStore on a cluster', () => {
    let cluster: RedisCluster
    let ioredis: Cluster
    let nodeRedis: ReturnType<typeof openCluster>
    const openCluster = () =>
      createCluster({
        rootNodes: cluster.nodes.map(({ host, port }) => ({ url: `redis://${host}:${port}` })),
      })
    const prefix = () => `cluster ${nextNumber()}:`

    beforeAll(async () => {
      cluster = await startRedisCluster(program)
      ioredis = new Cluster([...cluster.nodes])
      nodeRedis = openCluster()
      await nodeRedis.connect()
    })

    afterAll(async () => {
      ioredis.disconnect()
      nodeRedis.destroy()
      await cluster.stop()
    })

    describe('of ioredis', () => {
      storeSuite(it, { open: () => redisStore(ioredis, { prefix: prefix() }), sweeps: false })
    })

    describe('of node-redis', () => {
      storeSuite(it, { open: () => redisStore(nodeRedis, { prefix: prefix() }), sweeps: false })

      it('lets replicas answer, but not what is to be fresh', async () => {
        const asked: boolean[] = []
        const watched: typeof nodeRedis = Object.assign(Object.create(nodeRedis), {
          sendCommand(...args: Parameters<typeof nodeRedis.sendCommand>) {
            asked.push(args[1] === true)
            return nodeRedis.sendCommand(...args)
          },
        })
        const store = redisStore(watched)
        await store.read('key', { now: NOW })
        expect(asked.splice(0)).toEqual([true])
        await store.read('key', { now: NOW, fresh: true })
        expect(asked).not.toContain(true)
      })
    })
  })
}
