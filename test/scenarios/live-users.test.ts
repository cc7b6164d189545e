import { describe, expect, it } from 'vitest'
import { memoryBus } from '../../src/buses/memory.ts'
import { openUserProcesses } from '../support/sites/user-processes.ts'

function openProcesses() {
  const bus = memoryBus()
  return openUserProcesses([bus, bus])
}

describe('a live stream', () => {
  it('tells a device of what the same user changes on another one, through another process', async () => {
    const { openDevice, close } = openProcesses()
    const [laptop, phone] = [await openDevice(0, 'ann'), await openDevice(1, 'ann')]
    expect(Object.keys(laptop.cursors)).toEqual(['default', 'user/default'])
    await phone.edit('cart', 'milk')
    const poke = await laptop.events.next()
    expect(poke).toMatchObject({ event: 'poke', data: { cursors: { 'user/default': expect.any(String) } } })
    await close()
  })

  it('tells nobody else of it', async () => {
    const { openDevice, close } = openProcesses()
    const others = [await openDevice(0, 'bob'), await openDevice(0, undefined)]
    const phone = await openDevice(1, 'ann')
    await phone.edit('cart', 'milk')
    for (const other of others) {
      await other.edit('seen', 'another page')
      // The first event is about what it has changed itself.
      expect(await other.events.next()).toMatchObject({ data: { cursors: { default: expect.any(String) } } })
    }
    expect(Object.keys(others[1]?.cursors ?? {})).toEqual(['default'])
    await close()
  })
})
