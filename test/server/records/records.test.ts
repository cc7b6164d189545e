import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { BinsRecord } from '../../../src/core/sync/record.ts'
import { createRecord } from '../../../src/core/sync/record.ts'
import { formatRecord } from '../../../src/core/sync/record-text.ts'
import { openRecords } from '../../../src/server/records/records.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { DAY, openClock, START } from '../../support/clock.ts'
import { gatedStore, openEvents } from '../../support/sites/requests.ts'

const KEY = 'v:key'

function open(store: Store, options: { casMs?: number; storeMs?: number; clock?: () => number } = {}) {
  const events = openEvents()
  const clock = options.clock ?? openClock()
  const records = openRecords(store, {
    clock,
    casMs: 5_000,
    storeMs: 5_000,
    random: () => 0,
    onEvent: events.onEvent,
    ...options,
  })
  return { records, events, clock }
}

/** Adds 1 to the number that a record's `cookieUntil` is here. */
function count(record: BinsRecord | undefined): { next: BinsRecord; result: number } {
  const before = record ?? createRecord({ epoch: 'epoch', mark: 'mark', now: START })
  const next = { ...before, cookieUntil: before.cookieUntil + 1 }
  return { next, result: next.cookieUntil }
}

describe('changes of a record', () => {
  it('are written together if they come together', async () => {
    const gated = gatedStore(memoryStore())
    const store = faultyStore(gated)
    const { records } = open(store)
    const first = records.change(KEY, count)
    await gated.isWaitedFor
    const others = Array.from({ length: 20 }, () => records.change(KEY, count))
    gated.open()
    expect(await Promise.all([first, ...others])).toEqual(Array.from({ length: 21 }, (_, index) => index + 1))
    expect(store.calls).toEqual(['read', 'write', 'read', 'write'])
  })

  it('are written one after the other where they are of other records', async () => {
    const { records } = open(memoryStore())
    expect(await Promise.all(['a', 'b', 'a'].map((key) => records.change(key, count)))).toEqual([1, 1, 2])
  })

  it('are written over those of other processes', async () => {
    const store = memoryStore()
    const servers = Array.from({ length: 5 }, () => open(store).records)
    await Promise.all(
      servers.flatMap((records) => Array.from({ length: 10 }, () => records.change(KEY, count))),
    )
    expect(await open(store).records.read(KEY)).toMatchObject({ cookieUntil: 50 })
  })

  it('start from what other processes have written since', async () => {
    const store = memoryStore()
    const [one, other] = [open(store).records, open(store).records]
    for (const odd of [1, 3, 5]) {
      expect(await one.change(KEY, count)).toBe(odd)
      expect(await other.read(KEY)).toMatchObject({ cookieUntil: odd })
      expect(await other.change(KEY, count)).toBe(odd + 1)
      expect(await one.read(KEY)).toMatchObject({ cookieUntil: odd + 1 })
    }
  })

  it('read past caches once they have lost', async () => {
    const memory = memoryStore()
    const reads: unknown[] = []
    let rival: (() => Promise<unknown>) | undefined = () => open(memory).records.change(KEY, count)
    const { records } = open({
      ...memory,
      async read(key, options) {
        reads.push(options.fresh)
        const stored = await memory.read(key, options)
        await rival?.()
        rival = undefined
        return stored
      },
    })
    expect(await records.change(KEY, count)).toBe(2)
    expect(reads).toEqual([false, true])
  })

  it('write nothing if there is nothing to write', async () => {
    const store = faultyStore(memoryStore())
    const { records } = open(store)
    expect(await records.change(KEY, (record) => ({ result: record }))).toBeUndefined()
    await records.change(KEY, count)
    expect(await records.change(KEY, (record) => ({ next: record as BinsRecord, result: 'same' }))).toBe(
      'same',
    )
    expect(store.calls).toEqual(['read', 'read', 'write', 'read'])
  })

  it('fail alone if their step throws', async () => {
    const { records } = open(memoryStore())
    const broken = () => {
      throw new TypeError('cannot')
    }
    const settled = await Promise.allSettled([
      records.change(KEY, count),
      records.change(KEY, broken),
      records.change(KEY, count),
    ])
    expect(settled).toMatchObject([{ value: 1 }, { reason: { message: 'cannot' } }, { value: 2 }])
  })

  it('give up after a while', async () => {
    const clock = openClock()
    const store: Store = {
      ...memoryStore(),
      async write() {
        clock.advance(100)
        return false
      },
    }
    const { records, events } = open(store, { clock, casMs: 1_000 })
    await expect(records.change(KEY, count)).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(clock() - START).toBe(1_000)
    expect(events.all).toEqual([])
  })

  it('move the version past the time and past the last one', async () => {
    const store = memoryStore()
    const clock = openClock()
    const { records } = open(store, { clock })
    const versions: Array<number | undefined> = []
    for (const step of [0, 0, 10, -DAY]) {
      clock.advance(step)
      await records.change(KEY, count)
      versions.push((await store.read(KEY, { now: clock() }))?.version)
    }
    expect(versions).toEqual([START, START + 1, START + 10, START + 11])
  })
})

describe('a store that fails', () => {
  it('fails the change, with its cause and an event', async () => {
    const error = new Error('connection reset')
    for (const failOn of [1, 2]) {
      const { records, events } = open(faultyStore(memoryStore(), { failOn, error }))
      await expect(records.change(KEY, count)).rejects.toMatchObject({ code: 'STORE_FAILED', cause: error })
      expect(events.all).toEqual([{ type: 'store-failed', cause: error }])
      expect(await records.change(KEY, count)).toBe(1)
    }
  })

  it('fails all changes that wait, once each', async () => {
    const { records, events } = open(faultyStore(memoryStore(), { failOn: 1 }))
    const settled = await Promise.allSettled([1, 2, 3].map(() => records.change(KEY, count)))
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(events.types).toEqual(['store-failed'])
  })

  it('has written if the record is there after all', async () => {
    const store = faultyStore(memoryStore(), { failOn: 2, lost: 'answer' })
    const { records, events } = open(store)
    expect(await records.change(KEY, count)).toBe(1)
    expect(events.all).toEqual([])
    expect(await records.change(KEY, count)).toBe(2)
  })

  it('has not answered if it takes too long, to a read or a write', async () => {
    const never = new Promise<never>(() => {})
    const reading = open({ ...memoryStore(), read: () => never }, { storeMs: 1 })
    await expect(reading.records.read(KEY)).rejects.toMatchObject({ code: 'STORE_TIMEOUT' })
    await expect(reading.records.change(KEY, count)).rejects.toMatchObject({ code: 'STORE_TIMEOUT' })
    const writing = open({ ...memoryStore(), write: () => never }, { storeMs: 1 })
    await expect(writing.records.change(KEY, count)).rejects.toMatchObject({ code: 'STORE_TIMEOUT' })
    expect(writing.events.types).toEqual(['store-failed'])
  })

  it('has written if the record is there by the time the answer is overdue', async () => {
    const memory = memoryStore()
    const { records } = open(
      {
        ...memory,
        async write(...args) {
          await memory.write(...args)
          return new Promise<never>(() => {})
        },
      },
      { storeMs: 1 },
    )
    expect(await records.change(KEY, count)).toBe(1)
  })
})

describe('a record that cannot be read', () => {
  const TEXTS = {
    'no JSON': '{"v":1,"epoch":precious}',
    'no record': '[]',
    nothing: 'null',
    'a newer format': '{"v":2}',
  }

  it.each(Object.entries(TEXTS))('is told apart from none, and never overwritten: %s', async (_, text) => {
    const store = memoryStore()
    const stored = { version: 5, text, expires: START + DAY }
    await store.write(KEY, stored, 0, START)
    const { records, events } = open(store)
    expect(await records.read(KEY)).toBe('unreadable')
    await expect(records.change(KEY, count)).rejects.toThrow(/cannot be read; it was left as it is/)
    expect(await store.read(KEY, { now: START })).toEqual(stored)
    expect(events.types).toEqual(['unreadable-record', 'unreadable-record', 'store-failed'])
    for (const event of events.all) expect(inspect(event)).not.toContain('precious')
  })
})

describe('a record', () => {
  const record = createRecord({ epoch: 'epoch', mark: 'mark', now: START })
  const row = { rev: 1, touched: 1, text: '{"json":1}', version: 1, at: START, expires: START + 5 * DAY }

  it.each<[string, Partial<BinsRecord>, number]>([
    ['as long as its last bin', { bins: new Map([['a', row]]) }, 5 * DAY],
    ['as long as its cookie, under which other stores have bins', { cookieUntil: START + 9 * DAY }, 9 * DAY],
    ['10 minutes if it has never held anything', {}, 600_000],
    ['a day if it was emptied', { bins: new Map([['a', { ...row, expires: START }]]) }, DAY],
    ['400 days if it was cleared', { erased: START }, 400 * DAY],
  ])('is kept %s', async (_, changed, age) => {
    const store = memoryStore()
    await open(store).records.change(KEY, () => ({ next: { ...record, ...changed }, result: 0 }))
    expect((await store.read(KEY, { now: START }))?.expires).toBe(START + age)
    expect((await store.read(KEY, { now: START }))?.text).toBe(formatRecord({ ...record, ...changed }))
  })
})
