// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { type DeviceBins, openDeviceBins } from '../../../src/client/replica/device-bins.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import { encode } from '../../../src/core/codec/codec.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { MINUTE, openClock, START } from '../../support/clock.ts'

const bins = defineBins({
  draft: { storage: 'device', maxAge: '1m' },
  fixed: { storage: 'device', maxAge: '1m', renew: 'never' },
  visit: { storage: 'device', maxAge: 'session' },
  kept: { storage: 'device', maxAge: '1m', renew: 'read' },
})

type Name = (typeof bins.names)[number]

const row = (data: unknown) => ({ v: 1, text: encode(data), version: 1, expires: START + MINUTE })

function setUp(initial: ReadonlyArray<readonly [string, unknown]> = []) {
  const clock = openClock()
  const device = { session: 'first' as string | undefined }
  const rows = memoryRows(initial)
  const open = () => openDeviceBins({ rows, clock, session: () => device.session, onChange: () => {} })

  function write(opened: DeviceBins, name: Name, data: unknown): Promise<void> {
    const kept = data === null ? undefined : { text: encode(data), version: 1 }
    return opened.edit({ definition: bins.find(name), compute: () => kept, at: clock() })
  }

  return { clock, device, rows, open, write }
}

function read(opened: DeviceBins, name: Name): unknown {
  const kept = opened.find(bins.find(name))
  return kept && JSON.parse(kept.text).json
}

describe('the bins of a device', () => {
  it('live on where reading keeps them alive, a tenth of their life after the last time', async () => {
    const { open, clock, rows } = setUp([
      ['d/kept', row('text')],
      ['d/draft', row('text')],
    ])
    const [kept, draft] = [bins.find('kept'), bins.find('draft')]
    const opened = await open()
    const renew = async () => {
      for (const definition of [kept, draft]) opened.renew(definition)
      await opened.flush()
      return (await rows.load('d/')).get('d/kept')
    }
    clock.advance(MINUTE / 10)
    expect(await renew()).toEqual(row('text'))
    clock.advance(1)
    expect(await renew()).toEqual({ ...row('text'), expires: clock() + MINUTE })
    clock.advance(MINUTE - 1)
    expect([read(opened, 'kept'), read(opened, 'draft')]).toEqual(['text', undefined])
    clock.advance(1)
    opened.renew(kept)
    expect(read(opened, 'kept')).toBeUndefined()
  })

  it('are there again after a reload', async () => {
    const { open, write } = setUp()
    await write(await open(), 'draft', 'text')
    expect(read(await open(), 'draft')).toBe('text')
  })

  it('leave nothing behind when they are deleted', async () => {
    const { open, write, rows } = setUp()
    const opened = await open()
    await write(opened, 'draft', 'text')
    await write(opened, 'draft', null)
    expect([...(await rows.load(''))]).toEqual([])
  })

  it('are deleted by a clear, those included that nobody defines any more', async () => {
    const { open, rows } = setUp([
      ['d/draft', row('text')],
      ['d/former', row('text')],
    ])
    const opened = await open()
    const cleared = opened.clear()
    expect(opened.names()).toEqual([])
    await cleared
    expect([...(await rows.load(''))]).toEqual([])
  })

  it('expire', async () => {
    const { open, write, clock } = setUp()
    const opened = await open()
    await write(opened, 'draft', 'one')
    await write(opened, 'fixed', 'one')
    clock.advance(MINUTE - 1)
    await write(opened, 'draft', 'two')
    await write(opened, 'fixed', 'two')
    clock.advance(1)
    expect([read(opened, 'draft'), read(opened, 'fixed'), opened.names()]).toEqual([
      'two',
      undefined,
      ['draft'],
    ])
  })

  it('end with the browser session, if they are defined so', async () => {
    const { open, write, device } = setUp()
    const opened = await open()
    await write(opened, 'visit', 'first')
    await write(opened, 'draft', 'stays')
    device.session = 'second'
    expect([read(opened, 'visit'), read(opened, 'draft')]).toEqual([undefined, 'stays'])
    await write(opened, 'visit', 'second')
    expect(read(await open(), 'visit')).toBe('second')
  })

  it('are made on what another tab has stored meanwhile', async () => {
    const { open } = setUp([['d/draft', row(1)]])
    const [one, two] = [await open(), await open()]
    const increment = (opened: DeviceBins) =>
      opened.edit({
        definition: bins.find('draft'),
        compute: (kept) => ({ text: encode(JSON.parse(kept?.text ?? '').json + 1), version: 1 }),
        at: START,
      })
    await Promise.all([increment(one), increment(two), increment(one)])
    await one.reload()
    expect(read(one, 'draft')).toBe(4)
  })

  it('leave rows of another version of the code alone', async () => {
    const { open, write, rows } = setUp([['d/other', { v: 2, shape: 'unknown' }]])
    const opened = await open()
    await write(opened, 'draft', 'text')
    await opened.clear()
    expect([...(await rows.load(''))]).toEqual([['d/other', { v: 2, shape: 'unknown' }]])
  })
})
