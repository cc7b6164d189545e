import { Redis as IoRedis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type BinsRecord, createRecord } from '../../../src/core/sync/record.ts'
import { openRecords } from '../../../src/server/records/records.ts'
import { redisStore } from '../../../src/stores/redis.ts'
import { needs } from '../../support/needs.ts'
import { type RedisCluster, startRedisCluster } from '../../support/servers/redis.ts'
import { CLUSTER_CLIENTS } from '../../support/stores/redis-clients.ts'

const program = needs('redis')
const KEYS = Array.from({ length: 30 }, (_, index) => `key ${index}`)
const START = Date.UTC(2035, 0, 1)

if (program) {
  describe.each(Object.entries(CLUSTER_CLIENTS))(
    'redisStore on a cluster of %s that loses a master',
    (_, make) => {
      it('goes on with its replica, which has all that had reached it', { timeout: 120_000 }, async () => {
        const cluster = await startRedisCluster(program, { replicas: 1 })
        onTestFinished(cluster.stop)
        const own = make(cluster)
        await own.connect()
        onTestFinished(() => own.end())
        const records = openRecords(redisStore(own.client), {
          clock: () => START,
          casMs: 5_000,
          storeMs: 500,
          random: Math.random,
        })
        for (const key of KEYS) expect(await records.change(key, count)).toBe(1)
        await replicate(cluster)
        await cluster.servers[0]?.halt('SIGKILL')
        let [made, unknown] = [KEYS.length, 0]
        for (const key of KEYS) {
          // Each key again and again, until it has a master.
          for (let isDone = false; !isDone; ) {
            isDone = await records.change(key, count).then(
              () => true,
              () => false,
            )
            if (isDone) made += 1
            else unknown += 1
          }
        }
        await cluster.servers[0]?.start()
        let total = 0
        for (const key of KEYS) total += (await records.change(key, count)) - 1
        expect(total).toBeGreaterThanOrEqual(made)
        expect(total).toBeLessThanOrEqual(made + unknown)
      })
    },
  )
}

/** Waits until the replicas have all that the masters have. */
async function replicate({ nodes }: RedisCluster): Promise<void> {
  for (const { host, port } of nodes.slice(0, 3)) {
    const master = new IoRedis({ host, port })
    const missing = async () => {
      const facts = await master.info('replication')
      const [sent, received] = [/^master_repl_offset:(\d+)/m, /^slave0:.*,offset=(\d+)/m].map((fact) =>
        Number(fact.exec(facts)?.[1]),
      )
      return Number(sent) - Number(received)
    }
    await expect.poll(missing).toBe(0)
    master.disconnect()
  }
}

/** Adds 1 to the number that a record's `cookieUntil` is here. */
function count(record: BinsRecord | undefined): { next: BinsRecord; result: number } {
  const before = record ?? createRecord({ epoch: 'epoch', mark: 'mark', now: START })
  const cookieUntil = before.cookieUntil + 1
  return { next: { ...before, cookieUntil }, result: cookieUntil }
}
