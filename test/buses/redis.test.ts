import { once } from 'node:events'
import { Redis as IoRedis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisClient, redisBus } from '../../src/buses/redis.ts'
import { needs } from '../support/needs.ts'
import { type Redis, startRedis } from '../support/servers/redis.ts'
import { fire } from '../support/sites/live.ts'
import { openLiveSite } from '../support/sites/live-site.ts'
import { busSuite, hear } from '../support/stores/bus-suite.ts'

const program = needs('redis')

interface Client {
  readonly client: RedisClient
  end(): Promise<unknown>
}

const CLIENTS: Record<string, (url: string) => Promise<Client>> = {
  async ioredis(url) {
    const client = new IoRedis(url, { retryStrategy: () => 20, autoResubscribe: false })
    await once(client, 'ready')
    return { client, end: async () => client.disconnect() }
  },
  async 'node-redis'(url) {
    const client = createClient({ url, socket: { reconnectStrategy: () => 20 } })
    client.on('error', () => {})
    await client.connect()
    return { client, end: async () => client.destroy() }
  },
}

if (program) {
  describe.each(Object.entries(CLIENTS))('redisBus with %s', (_, connect) => {
    let redis: Redis
    const opened: Client[] = []

    async function open() {
      const [publisher, subscriber] = [await connect(redis.url), await connect(redis.url)]
      opened.push(publisher, subscriber)
      return redisBus(publisher.client, subscriber.client)
    }

    beforeAll(async () => {
      redis = await startRedis(program)
    })

    afterAll(async () => {
      for (const { end } of opened) await end()
      await redis.stop()
    })

    busSuite(it, open)

    it('keeps channels apart', async () => {
      const [publisher, subscriber] = [await connect(redis.url), await connect(redis.url)]
      opened.push(publisher, subscriber)
      const [one, other] = ['one', 'other'].map((channel) =>
        redisBus(publisher.client, subscriber.client, { channel }),
      )
      if (!one || !other) return
      const [hears, others] = [await hear(one), await hear(other)]
      await one.publish('message')
      await other.publish('another')
      await expect.poll(() => hears.messages).toEqual(['message'])
      await expect.poll(() => others.messages).toEqual(['another'])
    })

    it('tells of a gap when the connection is there again, and goes on', async () => {
      const bus = await open()
      const heard = await hear(bus)
      await redis.restart()
      await expect.poll(() => heard.gaps).toBe(1)
      await expect.poll(() => bus.publish('after').then(() => heard.messages)).toContain('after')
      await heard.stop()
    })

    it('rejects at once while there is no connection', async () => {
      const own = await startRedis(program)
      const [publisher, subscriber] = [await connect(own.url), await connect(own.url)]
      opened.push(publisher, subscriber)
      const bus = redisBus(publisher.client, subscriber.client)
      const heard = await hear(bus)
      await own.stop()
      let reason: unknown
      const tryOnce = () => {
        // The first ones may be on their way when the connection is lost: they wait.
        bus.publish('lost').catch((error) => {
          reason = error.message
        })
        return reason
      }
      await expect.poll(tryOnce).toMatch(/not connected/)
      await heard.stop()
    })

    it('finds by a check of the store what was lost in a restart of Redis', async () => {
      const site = await openLiveSite()
      const [here, there] = [site.start(await open()), site.start(await open())]
      const events = await here.listen()
      await redis.restart()
      await there.edit('during')
      fire(here.timers, 'check')
      expect((await events.next())?.event).toBe('poke')
      await site.close()
    })
  })
}
