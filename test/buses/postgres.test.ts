import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/buses/bus.ts'
import { postgresBus } from '../../src/buses/postgres.ts'
import { needs } from '../support/needs.ts'
import { type Postgres, startPostgres } from '../support/servers/postgres.ts'
import { fire } from '../support/sites/live.ts'
import { openLiveSite } from '../support/sites/live-site.ts'
import { busSuite, hear } from '../support/stores/bus-suite.ts'

const program = needs('postgres')

async function connectTo(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString, keepAlive: true })
  await client.connect()
  return client
}

if (program) {
  describe('postgresBus', () => {
    let postgres: Postgres
    const opened: Bus[] = []

    async function open(options = {}): Promise<Bus> {
      const bus = postgresBus(() => connectTo(postgres.url), options)
      opened.push(bus)
      return bus
    }

    beforeAll(async () => {
      postgres = await startPostgres(program)
    })

    afterAll(async () => {
      for (const bus of opened) await bus.close?.()
      await postgres.stop()
    })

    busSuite(it, open)

    it('keeps channels apart, whatever their letters', async () => {
      const [one, other] = [await open({ channel: 'Site' }), await open({ channel: 'site' })]
      const [hears, others] = [await hear(one), await hear(other)]
      await one.publish('message')
      await other.publish('another')
      await expect.poll(() => hears.messages).toEqual(['message'])
      await expect.poll(() => others.messages).toEqual(['another'])
    })

    it.each(['', 'a"b', '1st', 'x'.repeat(64)])('refuses the channel %j', (channel) => {
      expect(() => postgresBus(async () => connectTo(''), { channel })).toThrow(TypeError)
    })

    it('refuses a message that PostgreSQL would refuse', async () => {
      const bus = await open()
      const heard = await hear(bus)
      await bus.publish('x'.repeat(7_999))
      await expect(bus.publish('ü'.repeat(4_000))).rejects.toThrow(RangeError)
      await expect.poll(() => heard.messages).toHaveLength(1)
    })

    it('connects when it is first needed, and once', async () => {
      let connections = 0
      const bus = postgresBus(() => {
        connections += 1
        return connectTo(postgres.url)
      })
      opened.push(bus)
      expect(connections).toBe(0)
      await Promise.all([bus.publish('one'), bus.publish('two'), hear(bus), hear(bus)])
      expect(connections).toBe(1)
    })

    it('tells of a gap when a lost connection is there again, and goes on', async () => {
      const [bus, other] = [await open(), await open()]
      const heard = await hear(bus)
      const admin = await connectTo(postgres.url)
      await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^LISTEN'")
      await admin.end()
      await expect.poll(() => heard.gaps).toBe(1)
      await other.publish('after')
      await expect.poll(() => heard.messages).toEqual(['after'])
    })

    it('finds by a check of the store what was lost in a restart of PostgreSQL', async () => {
      const site = await openLiveSite()
      const [here, there] = [site.start(await open()), site.start(await open())]
      const events = await here.listen()
      await postgres.restart()
      await there.edit('during')
      fire(here.timers, 'check')
      expect((await events.next())?.event).toBe('poke')
      await site.close()
    })

    it('rejects while there is no connection, ever more rarely tries to make one, and ends', async () => {
      let attempts = 0
      const bus = postgresBus(async () => {
        attempts += 1
        throw new Error('unreachable')
      })
      await expect(bus.publish('lost')).rejects.toThrow('unreachable')
      await expect(bus.publish('lost')).rejects.toThrow(/not connected/)
      await expect.poll(() => attempts).toBeGreaterThan(2)
      await bus.close?.()
      await expect(bus.publish('lost')).rejects.toThrow(/closed/)
      await expect(hear(bus)).rejects.toThrow(/closed/)
    })
  })
}
