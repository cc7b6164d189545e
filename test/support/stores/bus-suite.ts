import { expect, type it } from 'vitest'
import type { Bus } from '../../../src/buses/bus.ts'
import { openLiveSite } from '../sites/live-site.ts'
import { openUserProcesses } from '../sites/user-processes.ts'

/** What a bus subscribed with hears. */
export interface Heard {
  readonly messages: readonly string[]
  readonly gaps: number
  stop(): Promise<void>
}

/** Subscribes and notes what comes. */
export async function hear(bus: Bus): Promise<Heard> {
  const messages: string[] = []
  let gaps = 0
  const stop = await bus.subscribe({
    message: (text) => messages.push(text),
    gap: () => {
      gaps += 1
    },
  })
  return {
    messages,
    get gaps() {
      return gaps
    },
    stop,
  }
}

/** What must be true of every bus. `open` opens one of another process; what it opens is closed after all. */
export function busSuite(test: typeof it, open: () => Promise<Bus>): void {
  test('brings every subscriber each message, in any process', async () => {
    const [here, there] = [await open(), await open()]
    const all = [await hear(here), await hear(here), await hear(there)]
    await here.publish('one')
    await there.publish('{"two":"ü\\u0000 \'\\"$1"}')
    for (const heard of all) {
      await expect.poll(() => [...heard.messages].sort()).toEqual(['one', '{"two":"ü\\u0000 \'\\"$1"}'])
    }
    for (const { stop } of all) await stop()
  })

  test('brings nothing to who has stopped, and goes on for others', async () => {
    const bus = await open()
    const [first, second] = [await hear(bus), await hear(bus)]
    await first.stop()
    await first.stop()
    await bus.publish('message')
    await expect.poll(() => second.messages).toEqual(['message'])
    expect(first.messages).toEqual([])
    await second.stop()
    const third = await hear(bus)
    await bus.publish('again')
    await expect.poll(() => third.messages).toEqual(['again'])
    await third.stop()
  })

  test('brings a thousand messages at once', async () => {
    const [here, there] = [await open(), await open()]
    const heard = await hear(there)
    const messages = Array.from({ length: 1_000 }, (_, index) => String(index).padStart(150, '0'))
    await Promise.all(messages.map((message) => here.publish(message)))
    await expect.poll(() => [...heard.messages].sort()).toEqual(messages)
    await heard.stop()
  })

  test('brings a change to the page of another process', async () => {
    const site = await openLiveSite()
    const [here, there] = [site.start(await open()), site.start(await open())]
    const events = await here.listen()
    const others = await there.listen()
    await there.edit('pear')
    expect((await events.next())?.event).toBe('poke')
    expect((await others.next())?.event).toBe('poke')
    await site.close()
  })

  test('lets two devices of a user follow each other, each by a process of its own', async () => {
    const { openDevice, close } = openUserProcesses([await open(), await open()])
    const [laptop, phone] = [await openDevice(0, 'ann'), await openDevice(1, 'ann')]
    for (const [from, to] of [
      [phone, laptop],
      [laptop, phone],
    ] as const) {
      await from.edit('cart', 'milk')
      const poke = { event: 'poke', data: { cursors: { 'user/default': expect.any(String) } } }
      expect(await to.events.next()).toMatchObject(poke)
    }
    await close()
  })
}
