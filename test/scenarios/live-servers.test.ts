import { describe, expect, it } from 'vitest'
import type { Bus, BusListener } from '../../src/buses/bus.ts'
import { memoryBus } from '../../src/buses/memory.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { Store } from '../../src/stores/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { fire, settle } from '../support/sites/live.ts'
import { openLiveSite } from '../support/sites/live-site.ts'
import { openSignal } from '../support/sites/requests.ts'

/** A bus of one process, whose messages a test sees and sends. */
function openTestBus(changed: Partial<Bus> = {}) {
  const sent: string[] = []
  const listeners = new Set<BusListener>()
  const bus: Bus = {
    async publish(message) {
      sent.push(message)
    },
    async subscribe(listener) {
      listeners.add(listener)
      return async () => {
        listeners.delete(listener)
      }
    },
    ...changed,
  }
  return { bus, sent, listeners }
}

describe('two servers on one store', () => {
  it('tell each other of changes by the bus', async () => {
    const site = await openLiveSite()
    const bus = memoryBus()
    const [here, there] = [site.start(bus), site.start(bus)]
    const events = await here.listen()
    await there.edit('pear')
    expect((await events.next())?.event).toBe('poke')
    const others = await there.listen()
    fire(here.timers, 'collecting')
    await here.edit('fig')
    expect(await others.next()).toEqual(await events.next())
    await site.close()
  })

  it.each<[string, () => Bus | undefined]>([
    ['no bus', () => undefined],
    ['a bus that drops every message', () => openTestBus().bus],
    [
      'a bus that is down',
      () =>
        openTestBus({
          publish: () => Promise.reject(new Error('down')),
          subscribe: () => Promise.reject(new Error('down')),
        }).bus,
    ],
    [
      'a bus that throws',
      () =>
        openTestBus({
          publish() {
            throw new Error('broken')
          },
          subscribe() {
            throw new Error('broken')
          },
        }).bus,
    ],
    [
      'a bus that never answers',
      () => openTestBus({ publish: () => new Promise(() => {}), subscribe: () => new Promise(() => {}) }).bus,
    ],
  ])('find out by looking into the store, with %s', async (_, open) => {
    const site = await openLiveSite()
    const [here, there] = [site.start(open()), site.start(open())]
    const events = await here.listen()
    await settle()
    await there.edit('pear')
    await settle()
    expect(fire(here.timers, 'check')).toBe(1)
    expect((await events.next())?.event).toBe('poke')
    // And what a process writes itself, its pages hear at once.
    fire(here.timers, 'collecting')
    await here.edit('fig')
    expect((await events.next())?.event).toBe('poke')
    await site.close()
  })

  it('report a bus that is down, and subscribe again', async () => {
    const site = await openLiveSite()
    let isDown = true
    const { bus, listeners } = openTestBus()
    const here = site.start({
      ...bus,
      publish: () => Promise.reject(new Error('down')),
      subscribe: (listener) => (isDown ? Promise.reject(new Error('down')) : bus.subscribe(listener)),
    })
    const events = await here.listen()
    await here.edit('pear')
    await settle()
    expect(here.events.all).toEqual([
      { type: 'bus-failed', cause: expect.objectContaining({ message: expect.stringContaining('bus') }) },
      { type: 'bus-failed', cause: expect.objectContaining({ cause: new Error('down') }) },
    ])
    expect((await events.next())?.event).toBe('poke')
    isDown = false
    fire(here.timers, 'check')
    await settle()
    expect(listeners.size).toBe(1)
    await site.close()
    expect(listeners.size).toBe(0)
  })
})

describe('the check of the store', () => {
  /** A store that counts what it is asked for keys, without the power to tell versions if asked for that. */
  function counting(store: Store, { versions = true } = {}): { store: Store; calls: string[] } {
    const counted = faultyStore(store)
    const { versions: power, ...rest } = counted
    // The store's list of calls is read-only to others.
    return {
      store: versions && power ? { ...rest, versions: power } : rest,
      calls: counted.calls as string[],
    }
  }

  it('asks each store once, and reads what moved', async () => {
    const { store, calls } = counting(memoryStore())
    const site = await openLiveSite(store)
    const [here, there] = [site.start(), site.start()]
    await Promise.all([here.listen(), here.listen()])
    calls.length = 0
    fire(here.timers, 'check')
    await settle()
    expect(calls).toEqual(['versions'])
    await there.edit('pear')
    calls.length = 0
    fire(here.timers, 'check')
    await settle()
    expect(calls).toEqual(['versions', 'read'])
  })

  it('reads every record where a store cannot tell versions', async () => {
    const memory = memoryStore()
    const { store, calls } = counting(memory, { versions: false })
    const site = await openLiveSite(store)
    const [here, there] = [site.start(), site.start()]
    const events = await here.listen()
    await there.edit('pear')
    calls.length = 0
    fire(here.timers, 'check')
    expect((await events.next())?.event).toBe('poke')
    expect(calls).toEqual(['read'])
  })

  it('follows a gap of the bus', async () => {
    const site = await openLiveSite()
    const { bus, listeners } = openTestBus()
    const [here, there] = [site.start(bus), site.start()]
    const events = await here.listen()
    await settle()
    await there.edit('pear')
    for (const { gap } of listeners) gap()
    expect((await events.next())?.event).toBe('poke')
    await site.close()
  })

  it('follows a subscription that took its time', async () => {
    const site = await openLiveSite()
    const subscribing = openSignal()
    const { bus } = openTestBus({
      async subscribe() {
        await subscribing.given
        return async () => {}
      },
    })
    const [here, there] = [site.start(bus), site.start()]
    const events = await here.listen()
    await there.edit('pear')
    subscribing.give()
    expect((await events.next())?.event).toBe('poke')
    await site.close()
  })

  it('survives a failing store, and asks again', async () => {
    const memory = memoryStore()
    let isDown = false
    const site = await openLiveSite({
      ...memory,
      versions: async (keys, now) => {
        if (isDown) throw new Error('down')
        return (await memory.versions?.(keys, now)) ?? new Map()
      },
    })
    const [here, there] = [site.start(), site.start()]
    const events = await here.listen()
    await there.edit('pear')
    isDown = true
    fire(here.timers, 'check')
    await settle()
    expect(here.events.types).toEqual(['store-failed'])
    isDown = false
    fire(here.timers, 'check')
    expect((await events.next())?.event).toBe('poke')
  })

  it('ends with the last stream, and comes back with the next', async () => {
    const site = await openLiveSite()
    const here = site.start()
    await (await here.listen()).cancel()
    expect(here.timers.waiting).toEqual([])
    await here.listen()
    expect(fire(here.timers, 'check')).toBe(1)
    expect(fire(here.timers, 'check')).toBe(1)
  })
})

describe('messages', () => {
  it('say which record was written, and where it is now', async () => {
    const site = await openLiveSite()
    const { bus, sent } = openTestBus()
    await site.start(bus).edit('pear')
    expect(sent).toHaveLength(1)
    expect(JSON.parse(sent[0] ?? '')).toEqual({
      store: 'default',
      key: expect.stringMatching(/^v:[\w-]{22}$/),
      version: expect.any(Number),
      cursor: expect.stringMatching(/^[\w-]+\.\d+\.[\w-]+$/),
    })
    expect(sent[0]).not.toContain('pear')
  })

  it('may come late, twice, out of order, from others, and broken', async () => {
    const site = await openLiveSite()
    const { bus, sent, listeners } = openTestBus()
    const [here, there] = [site.start(bus), site.start(bus)]
    const events = await here.listen()
    await settle()
    await there.edit('pear')
    await there.edit('fig')
    const [first = '', second = ''] = sent
    const odd = ['', '{', 'null', '[]', '{}', '{"store":1}', first.replace('default', 'unknown')]
    const send = (message: string) => {
      for (const listener of listeners) listener.message(message)
    }
    for (const message of [...odd, second, second, first, ...odd]) send(message)
    expect((await events.next())?.data).toEqual({ v: 1, cursors: { default: JSON.parse(second).cursor } })
    fire(here.timers, 'collecting')
    fire(here.timers, 'heartbeat')
    expect((await events.next())?.event).toBeUndefined()
  })

  it('are dropped while a thousand wait for the bus', async () => {
    const site = await openLiveSite()
    let publishing = 0
    const { bus } = openTestBus({
      publish: () => {
        publishing += 1
        return new Promise(() => {})
      },
    })
    const here = site.start(bus)
    for (let edit = 0; edit < 1_002; edit += 1) await here.edit(String(edit))
    expect(publishing).toBe(1_000)
    expect(here.events.types).toEqual(['bus-failed', 'bus-failed'])
  })
})
