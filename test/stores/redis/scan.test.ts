import { Cluster, Redis as IoRedis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { redisStore } from '../../../src/stores/redis.ts'
import type { Store } from '../../../src/stores/store.ts'
import { needs } from '../../support/needs.ts'
import { type RedisCluster, startRedisCluster } from '../../support/servers/redis.ts'
import { LATER, NOW } from '../../support/stores/open-store.ts'
import { CLUSTER_CLIENTS, type TestClient } from '../../support/stores/redis-clients.ts'

const program = needs('redis')
const KEYS = Array.from({ length: 90 }, (_, index) => `key ${index}`).sort()
const failed = { name: 'BinsError', code: 'STORE_FAILED' }

if (program) {
  describe.each(Object.entries(CLUSTER_CLIENTS))('redisStore on a cluster of %s: scan', (kind, make) => {
    let cluster: RedisCluster
    let own: TestClient
    let store: Store

    beforeAll(async () => {
      cluster = await startRedisCluster(program)
      own = make(cluster)
      await own.connect()
      store = redisStore(own.client)
      await fill(store)
    }, 60_000)

    afterAll(async () => {
      own.end()
      await cluster.stop()
    })

    it('finds all, also in pages that go over several masters', async () => {
      expect(await scanAll(store)).toEqual(KEYS)
    })

    it('does not take a client that is not connected for the end', async () => {
      const late = make(cluster)
      onTestFinished(() => late.end())
      const scan = scanAll(redisStore(late.client))
      if (kind === 'ioredis') {
        // It connects by itself, and is waited for.
        expect(await scan).toEqual(KEYS)
        return
      }
      await expect(scan).rejects.toMatchObject(failed)
      await late.connect()
      expect(await scanAll(redisStore(late.client))).toEqual(KEYS)
    })

    it('does not take a client that was disconnected in the middle for the end', async () => {
      const other = make(cluster)
      await other.connect()
      const end = async () => other.end()
      await expect(scanAll(redisStore(other.client), end)).rejects.toMatchObject(failed)
    })

    it('is rejected while slots move, and when they have moved since it began', async () => {
      const { slot, from, to } = await findEmptySlot(cluster)
      const first = await store.scan?.(undefined, 10)
      await to.run('SETSLOT', slot, 'IMPORTING', from.id)
      await from.run('SETSLOT', slot, 'MIGRATING', to.id)
      await expect(store.scan?.(first?.cursor, 10)).rejects.toMatchObject(failed)
      await expect(store.scan?.(undefined, 10)).rejects.toMatchObject(failed)
      await moveSlot(cluster, slot)
      await expect(store.scan?.(first?.cursor, 10)).rejects.toMatchObject(failed)
      expect(await scanAll(store)).toEqual(KEYS)
    })

    it('is rejected for a cursor that no scan has given', async () => {
      await expect(store.scan?.('3:0', 10)).rejects.toMatchObject(failed)
    })
  })

  describe('redisStore on a cluster: scan', () => {
    it('is rejected where a slot has moved while its last page was read', async () => {
      const cluster = await startRedisCluster(program)
      onTestFinished(cluster.stop)
      const client = new Cluster([...cluster.nodes])
      onTestFinished(() => client.disconnect())
      let scanned = 0
      const watched = Object.assign(Object.create(client) as Cluster, {
        nodes: (role: 'master') =>
          client.nodes(role).map((node) => ({
            async call(name: string, args: string[]) {
              const reply = await node.call(name, args)
              if (name === 'SCAN') scanned += 1
              if (name === 'SCAN' && scanned === 3) await moveSlot(cluster)
              return reply
            },
          })),
      })
      await expect(scanAll(redisStore(watched))).rejects.toMatchObject(failed)
      expect(scanned).toBe(3)
      expect(await scanAll(redisStore(client))).toEqual([])
    })
  })

  describe.each(Object.entries(CLUSTER_CLIENTS))(
    'redisStore on a cluster of %s that loses a master: scan',
    (_, make) => {
      it('is rejected, and finds all when begun anew', { timeout: 120_000 }, async () => {
        const cluster = await startRedisCluster(program, { replicas: 1 })
        onTestFinished(cluster.stop)
        const own = make(cluster)
        await own.connect()
        onTestFinished(() => own.end())
        const store = redisStore(own.client)
        await fill(store)
        for (const node of cluster.nodes.slice(0, 3)) {
          const master = new IoRedis(node)
          // One that has no keys yet, or one with its replica behind, is waited for.
          await master.wait(1, 10_000)
          master.disconnect()
        }
        const lose = async () => cluster.servers[2]?.halt('SIGKILL')
        await expect(scanAll(store, lose)).rejects.toMatchObject(failed)
        await expect.poll(() => scanAll(store).catch(String)).toEqual(KEYS)
        await cluster.servers[2]?.start()
      })
    },
  )
}

async function fill(store: Store): Promise<void> {
  for (const key of KEYS) await store.write(key, { version: 1, text: 'text', expires: LATER }, 0, NOW)
}

/** All keys that a scan finds; does something after its second page. */
async function scanAll(store: Store, meanwhile?: () => Promise<unknown>): Promise<string[]> {
  const keys = new Set<string>()
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await store.scan?.(cursor, 10)
    for (const [key] of page?.entries ?? []) keys.add(key)
    cursor = page?.cursor
    pages += 1
    if (pages === 2) await meanwhile?.()
  } while (cursor !== undefined)
  return [...keys].sort()
}

interface Master {
  readonly id: string
  /** Runs a subcommand of CLUSTER. */
  run(...args: [string, ...string[]]): Promise<unknown>
}

/** A slot of the first master that has no key in it, so that the second one may have it at once. */
async function findEmptySlot({ nodes }: RedisCluster): Promise<{ slot: string; from: Master; to: Master }> {
  const [from, to] = await Promise.all([toMaster(nodes[0]), toMaster(nodes[1])])
  let slot = Number(/myself,master .* (\d+)-\d+/.exec(String(await from.run('NODES')))?.[1])
  while ((await from.run('COUNTKEYSINSLOT', `${slot}`)) !== 0) slot += 1
  return { slot: `${slot}`, from, to }
}

async function moveSlot(cluster: RedisCluster, which?: string): Promise<void> {
  const { slot, from, to } = await findEmptySlot(cluster)
  for (const node of [to, from]) await node.run('SETSLOT', which ?? slot, 'NODE', to.id)
}

async function toMaster(address: RedisCluster['nodes'][number] | undefined): Promise<Master> {
  const run = async (...args: [string, ...string[]]) => {
    const master = new IoRedis({ ...address })
    try {
      return await master.call('CLUSTER', args)
    } finally {
      master.disconnect()
    }
  }
  return { id: String(await run('MYID')), run }
}
