import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { apply, type Op, type OpResult } from '../../../src/core/sync/apply-edits.ts'
import {
  type BinsRecord,
  createRecord,
  erase,
  isLive,
  liveUntil,
  type Row,
} from '../../../src/core/sync/record.ts'
import { DAY, HOUR, START } from '../../support/clock.ts'

const bins = defineBins(
  {
    latest: { browser: 'write', maxAge: '30d' },
    other: { browser: 'write', maxAge: '60d' },
    server: { browser: 'write', merge: 'server' },
    fields: { browser: 'write', merge: 'fields' },
    function: { browser: 'write', merge: (_, mine) => mine ?? null },
    tab: { browser: 'write', maxAge: 'session' },
    trial: { browser: 'write', maxAge: '10d', renew: 'never' },
    newer: { browser: 'write', version: 3 },
    plan: { browser: 'read' },
    seen: {},
  },
  { others: { browser: 'write' } },
)

const EMPTY = createRecord({ epoch: 'epoch', mark: 'first', now: START, secrets: ['hash'] })
const TEXT = '{"json":1}'

function op(bin: string, changed: Partial<Op> = {}): Op {
  return { n: 1, bin, base: 0, text: TEXT, age: 0, version: 1, ...changed }
}

function deletion(bin: string, changed: Partial<Op> = {}): Op {
  const { text: _, ...rest } = op(bin, changed)
  return rest
}

interface RunOptions {
  readonly now?: number
  readonly client?: string | undefined
  readonly session?: string
  readonly mark?: string
  readonly isBehind?: boolean
}

/** Applies ops of a client, `'client'` by default. */
function run(record: BinsRecord, ops: Op[], options: RunOptions = {}) {
  return apply(record, ops, {
    find: bins.find,
    now: START + 1_000,
    mark: 'mark',
    client: 'client',
    ...options,
  })
}

/** Applies ops of the server itself. */
function runOwn(record: BinsRecord, ops: Op[], options: RunOptions = {}) {
  return run(record, ops, { ...options, client: undefined })
}

function only(results: OpResult[]): OpResult {
  expect(results).toHaveLength(1)
  return results[0] ?? { n: 0, bin: '', state: 'denied', seen: 0 }
}

function rowOf(record: BinsRecord, bin: string): Row {
  return record.bins.get(bin) ?? { rev: 0, touched: 0, version: 0, at: 0, expires: 0 }
}

/** A record with a bin that was set a second after the record was made. */
function withBin(bin = 'latest', changed: Partial<Op> = {}): BinsRecord {
  return runOwn(EMPTY, [op(bin, changed)]).record
}

describe('createRecord', () => {
  it('makes a record that holds nothing and knows no older revs', () => {
    expect(EMPTY).toEqual({
      epoch: 'epoch',
      seq: START,
      marks: [[START, 'first']],
      floor: START,
      created: START,
      secrets: ['hash'],
      cookieUntil: 0,
      bins: new Map(),
      applied: new Map(),
    })
  })
})

describe('apply', () => {
  it('keeps an edit, with a rev of its own', () => {
    const { record, results } = run(EMPTY, [op('latest', { age: 200 })])
    const row = {
      rev: START + 1_000,
      touched: START + 1_000,
      text: TEXT,
      version: 1,
      at: START + 800,
      expires: START + 1_000 + 30 * DAY,
    }
    expect(results).toEqual([{ n: 1, bin: 'latest', state: 'ok', seen: 1, row }])
    expect(record).toEqual({
      ...EMPTY,
      seq: START + 1_000,
      marks: [
        [START, 'first'],
        [START + 1_000, 'mark'],
      ],
      bins: new Map([['latest', row]]),
      applied: new Map([['client', new Map([['latest', 1]])]]),
    })
  })

  it('leaves the record that it is given as it was', () => {
    const before = withBin()
    const copy = structuredClone(before)
    run(before, [op('latest', { base: null }), op('other', { n: 2 }), deletion('latest', { n: 3 })])
    expect(before).toEqual(copy)
  })

  it('returns the same record if nothing was kept', () => {
    const before = withBin()
    expect(run(before, []).record).toBe(before)
    expect(run(before, [op('latest', { base: null }), op('plan')]).record).toBe(before)
  })

  describe('numbers changes', () => {
    it('by the time, and one after the other within a millisecond', () => {
      const { results } = run(EMPTY, [op('latest'), op('other', { n: 2 }), op('fields', { n: 3 })])
      expect(results.map(({ row }) => row?.rev)).toEqual([START + 1_000, START + 1_001, START + 1_002])
    })

    it('upwards although the clock runs backwards', () => {
      let record = EMPTY
      const seqs: number[] = []
      for (const [index, now] of [0, -DAY, -2 * DAY, 10, 10].entries()) {
        record = runOwn(record, [op('latest', { base: record.bins.get('latest')?.rev ?? 0 })], {
          now: START + now,
          mark: `${index}`,
        }).record
        seqs.push(record.seq - START)
      }
      expect(seqs).toEqual([1, 2, 3, 10, 11])
    })

    it('with a mark for the last one of each step, 16 in all', () => {
      let record = EMPTY
      for (let step = 0; step < 20; step += 1) {
        record = run(record, [op('latest', { n: 2 * step + 1, base: rowOf(record, 'latest').rev })], {
          mark: `mark ${step}`,
        }).record
      }
      expect(record.marks).toHaveLength(16)
      expect(record.marks.at(-1)).toEqual([record.seq, 'mark 19'])
      expect(record.marks[0]?.[1]).toBe('mark 4')
    })
  })

  describe('finds duplicates', () => {
    it('by the number that the client gave last for the bin', () => {
      const { record } = run(EMPTY, [op('latest', { n: 5 })])
      for (const n of [5, 4, 1]) {
        const again = run(record, [op('latest', { n, base: null, text: '{"json":2}' })])
        expect(only(again.results)).toMatchObject({ state: 'dup', seen: 5, row: { text: TEXT } })
        expect(again.record).toBe(record)
      }
    })

    it('by bin and by client', () => {
      const { record } = run(EMPTY, [op('latest', { n: 5 })])
      expect(only(run(record, [op('other', { n: 3 })]).results).state).toBe('ok')
      const base = rowOf(record, 'latest').rev
      expect(only(run(record, [op('latest', { n: 3, base })], { client: 'other' }).results).state).toBe('ok')
    })

    it('of what was deleted since', () => {
      const { record } = run(EMPTY, [op('latest', { n: 5 })])
      const deleted = runOwn(record, [deletion('latest', { base: rowOf(record, 'latest').rev })]).record
      expect(only(run(deleted, [op('latest', { n: 5 })]).results)).toMatchObject({ state: 'dup', seen: 5 })
    })

    it('under the number that it has elsewhere, too', () => {
      const also = { client: 'elsewhere', n: 7 }
      const edited = run(EMPTY, [op('latest', { n: 7, also })])
      expect(only(edited.results).state).toBe('ok')
      const again = [op('latest', { n: 7 })]
      expect(only(run(edited.record, again, { client: 'elsewhere' }).results).state).toBe('dup')
      const late = op('latest', { n: 7, also })
      expect(only(run(edited.record, [late], { client: 'third' }).results)).toMatchObject({
        state: 'dup',
        seen: 7,
      })
    })

    it('up to the number that it has elsewhere: what was edited there since is not in it', () => {
      const { record } = run(EMPTY, [op('latest', { n: 9 })], { client: 'elsewhere' })
      const more = op('latest', { n: 8, strict: true, also: { client: 'elsewhere', n: 7 } })
      expect(only(run(record, [more]).results)).toMatchObject({ state: 'conflict', seen: 7 })
    })

    it('not among the ops of the server itself, which have no numbers', () => {
      const record = withBin()
      const again = runOwn(record, [op('latest', { n: 0, base: rowOf(record, 'latest').rev })])
      expect(only(again.results)).toMatchObject({ state: 'ok', seen: 0 })
      expect(again.record.applied.size).toBe(0)
    })

    it('of 32 clients, of which the one heard last is forgotten last', () => {
      let record = EMPTY
      const write = (client: string) => {
        record = run(
          record,
          [op('latest', { n: 1_000 + record.applied.size, base: rowOf(record, 'latest').rev })],
          {
            client,
          },
        ).record
      }
      for (let client = 0; client < 32; client += 1) write(`client ${client}`)
      expect(record.applied.size).toBe(32)
      record = run(record, [op('other', { n: 2_000 })], { client: 'client 0' }).record
      write('client 32')
      expect(record.applied.size).toBe(32)
      expect(record.applied.has('client 0')).toBe(true)
      expect(record.applied.has('client 1')).toBe(false)
      const forgotten = run(record, [op('fields', { n: 1, base: 1 })], { client: 'client 1' })
      expect(only(forgotten.results).state).toBe('conflict')
    })

    it('of 200 bins for each client', () => {
      let record = EMPTY
      for (let bin = 0; bin < 300; bin += 1) {
        record = run(record, [deletion(`bin ${bin}`, { n: bin + 1, base: null })]).record
      }
      const counts = record.applied.get('client')
      expect(counts?.size).toBe(200)
      expect(counts?.has('bin 299')).toBe(true)
      expect(counts?.has('bin 99')).toBe(false)
    })
  })

  describe('lets nobody write what is not theirs', () => {
    it.each(['plan', 'seen'])('%s', (bin) => {
      expect(only(run(EMPTY, [op(bin), deletion(bin, { n: 2 })].slice(0, 1)).results)).toEqual({
        n: 1,
        bin,
        state: 'denied',
        seen: 0,
      })
      expect(only(runOwn(EMPTY, [op(bin)]).results).state).toBe('ok')
    })
  })

  describe('judges an edit on top of', () => {
    const rules = ['latest', 'server', 'fields', 'function'] as const

    it.each(rules)('what is there: ok, by the rule %s', (bin) => {
      const record = withBin(bin)
      expect(only(run(record, [op(bin, { base: rowOf(record, bin).rev })]).results).state).toBe('ok')
    })

    it.each(rules)('nothing, where there never was anything: ok, by the rule %s', (bin) => {
      for (const base of [0, null]) expect(only(run(EMPTY, [op(bin, { base })]).results).state).toBe('ok')
    })

    it.each([
      ['latest', 'ok'],
      ['server', 'superseded'],
      ['fields', 'conflict'],
      ['function', 'conflict'],
    ] as const)('something older, made later, by the rule %s: %s', (bin, state) => {
      const record = withBin(bin)
      const { results } = run(record, [op(bin, { base: 5 })], { now: START + 2_000 })
      expect(only(results).state).toBe(state)
    })

    it.each([
      ['latest', 'superseded'],
      ['server', 'superseded'],
      ['fields', 'conflict'],
      ['function', 'conflict'],
    ] as const)('something older, made earlier, by the rule %s: %s', (bin, state) => {
      const record = withBin(bin)
      const { results } = run(record, [op(bin, { base: 5, age: 1_500 })], { now: START + 2_000 })
      expect(only(results)).toMatchObject({ state, seen: 0, row: { text: TEXT } })
    })

    it.each([
      ['latest', 'conflict'],
      ['server', 'superseded'],
      ['fields', 'conflict'],
      ['function', 'conflict'],
    ] as const)('what was never pulled, while there is data, by the rule %s: %s', (bin, state) => {
      const { results } = run(withBin(bin), [op(bin, { base: null })], { now: START + 2_000 })
      expect(only(results).state).toBe(state)
    })

    it.each(rules)('what was never pulled and is deleted: not ok, by the rule %s', (bin) => {
      const record = withBin(bin)
      const deleted = runOwn(record, [deletion(bin, { base: rowOf(record, bin).rev })]).record
      const { state } = only(run(deleted, [op(bin, { base: null })]).results)
      expect(state).toBe(bin === 'server' ? 'superseded' : 'conflict')
    })

    it.each(rules)('what was never pulled and has expired: ok, by the rule %s', (bin) => {
      const record = withBin(bin)
      const expired = run(record, [op(bin, { base: null })], { now: START + 40 * DAY })
      expect(only(expired.results).state).toBe('ok')
    })

    it.each([
      ['latest', 'superseded'],
      ['server', 'superseded'],
      ['fields', 'conflict'],
      ['function', 'conflict'],
    ] as const)(
      'what is believed to be there and is not known any more, by the rule %s: %s',
      (bin, state) => {
        const { results } = run(EMPTY, [op(bin, { base: 5, age: 2_000 })])
        expect(only(results)).toEqual({ n: 1, bin, state, seen: 0 })
      },
    )

    it('what is not known any more, later than it can have been deleted: ok', () => {
      expect(only(run(EMPTY, [op('latest', { base: 5 })]).results).state).toBe('ok')
    })

    it.each(rules)('something else by an update: conflict, by the rule %s', (bin) => {
      const record = withBin(bin)
      for (const base of [5, 0, null]) {
        const { results } = run(record, [op(bin, { base, strict: true })], { now: START + 2_000 })
        expect(only(results).state).toBe('conflict')
      }
      const { results } = run(record, [op(bin, { base: rowOf(record, bin).rev, strict: true })])
      expect(only(results).state).toBe('ok')
    })

    it('what the server has kept meanwhile: the server’s own edit goes by time, or wins', () => {
      const late = runOwn(withBin('latest'), [op('latest', { base: 5, age: 5_000 })], { now: START + 2_000 })
      expect(only(late.results).state).toBe('superseded')
      expect(only(runOwn(withBin('server'), [op('server', { base: 5 })]).results).state).toBe('ok')
      expect(only(runOwn(withBin('fields'), [op('fields', { base: 5 })]).results).state).toBe('conflict')
    })

    it('something of the same moment: ok', () => {
      const record = withBin()
      const { results } = run(record, [op('latest', { base: 5, age: 1_000 })], { now: START + 2_000 })
      expect(only(results).state).toBe('ok')
    })

    it('something, made in the future by a clock that is wrong: not later than now', () => {
      const { record } = run(EMPTY, [op('latest', { age: -DAY })])
      expect(rowOf(record, 'latest').at).toBe(START + 1_000)
    })
  })

  describe('leaves alone what newer code has written', () => {
    it('an op of a newer version', () => {
      expect(only(run(EMPTY, [op('newer', { version: 4 })]).results).state).toBe('outdated')
      expect(only(run(EMPTY, [op('newer', { version: 3 })]).results)).toMatchObject({ row: { version: 3 } })
    })

    it('a row of a newer version, deleted or not', () => {
      const row = { rev: 5, touched: 5, version: 2, at: START, expires: START + DAY }
      for (const kept of [{ ...row, text: TEXT }, row]) {
        const record = { ...EMPTY, bins: new Map([['latest', kept]]) }
        for (const each of [op('latest', { base: 5 }), deletion('latest', { base: 5 })]) {
          expect(only(run(record, [each]).results)).toMatchObject({ state: 'outdated', row: kept })
        }
      }
    })

    it('but brings what older code has written up to date', () => {
      const record = withBin('newer', { version: 1 })
      expect(rowOf(record, 'newer').version).toBe(3)
    })
  })

  describe('keeps to the limits', () => {
    const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`

    it('16 KiB of UTF-8 for a bin', () => {
      expect(only(run(EMPTY, [op('latest', { text: text(16_384) })]).results).state).toBe('ok')
      expect(only(run(EMPTY, [op('latest', { text: text(16_385) })]).results).state).toBe('too-large')
      const wide = `"${'ß'.repeat(8_192)}"`
      expect(only(run(EMPTY, [op('latest', { text: wide })]).results).state).toBe('too-large')
    })

    it('64 KiB for all bins that are live', () => {
      const names = ['a', 'b', 'c', 'd']
      const full = run(
        EMPTY,
        names.map((name, index) => op(name, { n: index + 1, text: text(16_384) })),
      ).record
      expect(only(run(full, [op('e', { n: 9, text: '1' })]).results).state).toBe('too-large')
      const base = rowOf(full, 'd').rev
      expect(only(run(full, [op('d', { n: 9, base, text: text(16_384) })]).results).state).toBe('ok')
      const room = run(full, [deletion('d', { n: 9, base })]).record
      expect(only(run(room, [op('e', { n: 10, text: text(16_384) })]).results).state).toBe('ok')
      const later = run(full, [op('e', { n: 9, text: '1' })], { now: START + 31 * DAY })
      expect(only(later.results).state).toBe('ok')
    })

    it('100 bins that are live', () => {
      const names = Array.from({ length: 100 }, (_, index) => `bin ${index}`)
      const full = run(
        EMPTY,
        names.map((name, index) => op(name, { n: index + 1 })),
      ).record
      expect(full.bins.size).toBe(100)
      expect(only(run(full, [op('more', { n: 200 })]).results).state).toBe('too-large')
      expect(only(run(full, [op('bin 5', { n: 200, base: rowOf(full, 'bin 5').rev })]).results).state).toBe(
        'ok',
      )
      const room = run(full, [deletion('bin 5', { n: 200, base: rowOf(full, 'bin 5').rev })]).record
      expect(only(run(room, [op('more', { n: 201 })]).results).state).toBe('ok')
    })

    it('but always deletes', () => {
      const huge = { rev: 5, touched: 5, text: text(100_000), version: 1, at: START, expires: START + DAY }
      const record = { ...EMPTY, bins: new Map([['latest', huge]]) }
      expect(only(run(record, [deletion('latest', { base: 5 })]).results).state).toBe('ok')
    })
  })

  describe('lets bins end', () => {
    it('their maxAge after each write', () => {
      const record = withBin()
      const later = runOwn(record, [op('latest', { base: rowOf(record, 'latest').rev })], {
        now: START + DAY,
      }).record
      expect(rowOf(later, 'latest').expires).toBe(START + 31 * DAY)
    })

    it('their maxAge after the first write, where writes do not renew it', () => {
      const record = withBin('trial')
      const first = rowOf(record, 'trial')
      const later = runOwn(record, [op('trial', { base: first.rev })], { now: START + 9 * DAY }).record
      expect(rowOf(later, 'trial').expires).toBe(first.expires)
      const over = runOwn(later, [op('trial', { base: rowOf(later, 'trial').rev })], {
        now: START + 11 * DAY,
      }).record
      expect(rowOf(over, 'trial').expires).toBe(START + 21 * DAY)
    })

    it('with the browser session, or a day after the last write', () => {
      const { record } = run(EMPTY, [op('tab')], { session: 'one' })
      const row = rowOf(record, 'tab')
      expect(row).toMatchObject({ session: 'one', expires: START + 1_000 + DAY })
      expect([isLive(row, START + DAY, 'one'), isLive(row, START + DAY, 'two')]).toEqual([true, false])
      expect(isLive(row, START + DAY, undefined)).toBe(false)
      expect(isLive(row, START + 1_000 + DAY, 'one')).toBe(false)
      const taken = run(record, [op('tab', { n: 2, base: null })], { session: 'two' })
      expect(only(taken.results)).toMatchObject({ state: 'ok', row: { session: 'two' } })
      expect(only(run(record, [op('tab', { n: 2, base: null })], { session: 'one' }).results).state).toBe(
        'conflict',
      )
    })
  })

  describe('remembers deletions', () => {
    it('as rows without data', () => {
      const record = withBin()
      const { record: after, results } = run(record, [
        deletion('latest', { base: rowOf(record, 'latest').rev }),
      ])
      const row = only(results).row
      expect(row).not.toHaveProperty('text')
      expect(rowOf(after, 'latest')).toEqual(row)
      expect(isLive(row, START, undefined)).toBe(false)
    })

    it('of what expired, at the next write', () => {
      const record = withBin()
      const now = START + 31 * DAY
      const after = runOwn(record, [op('other')], { now }).record
      const { text: _, ...rest } = rowOf(record, 'latest')
      expect(rowOf(after, 'latest')).toEqual(rest)
      expect(after.floor).toBe(START)
    })

    it('for 90 days, and then only that there were some', () => {
      const record = withBin()
      const deleted = runOwn(record, [deletion('latest', { base: rowOf(record, 'latest').rev })]).record
      const { rev } = rowOf(deleted, 'latest')
      const write = (now: number) => runOwn(deleted, [op('other')], { now }).record
      expect(write(rev + 90 * DAY - 1)).toMatchObject({ floor: START })
      const after = write(rev + 90 * DAY)
      expect([after.bins.has('latest'), after.floor]).toEqual([false, rev])
    })

    it('for 90 days, and a client that edits on top of its own edit and has not heard of them is told so', () => {
      const made = run(EMPTY, [op('fields')]).record
      const deleted = runOwn(made, [deletion('fields', { base: rowOf(made, 'fields').rev })]).record
      const now = rowOf(deleted, 'fields').rev + 90 * DAY
      const forgotten = runOwn(deleted, [op('other')], { now }).record
      const next = (options: RunOptions) => only(run(forgotten, [op('fields', { n: 2 })], options).results)
      expect(next({ now, isBehind: true })).toEqual({ n: 2, bin: 'fields', state: 'conflict', seen: 1 })
      expect(next({ now, isBehind: false }).state).toBe('ok')
      expect(next({ now, isBehind: true, client: 'another' }).state).toBe('ok')
    })

    it('for 90 days since they arrived, however long ago they were made', () => {
      const record = withBin()
      const base = rowOf(record, 'latest').rev
      const { record: after } = run(record, [deletion('latest', { base, age: 100 * DAY })], {
        now: START + 101 * DAY,
      })
      expect(rowOf(after, 'latest')).toMatchObject({ rev: START + 101 * DAY, at: START + DAY })
    })

    it('of 100 bins, and then only that there were more', () => {
      let record = EMPTY
      const revs: number[] = []
      for (let bin = 0; bin < 103; bin += 1) {
        const { record: after, results } = run(record, [deletion(`bin ${bin}`, { n: bin + 1 })])
        record = after
        revs.push(only(results).row?.rev ?? 0)
      }
      expect(record.bins.size).toBe(100)
      expect([record.bins.has('bin 2'), record.bins.has('bin 3')]).toEqual([false, true])
      expect(record.floor).toBe(revs[2])
    })

    it('without bringing anything back that was deleted and forgotten', () => {
      let record = run(EMPTY, [op('latest')]).record
      const base = rowOf(record, 'latest').rev
      record = runOwn(record, [deletion('latest', { base })], { now: START + HOUR }).record
      record = runOwn(record, [op('other')], { now: START + 100 * DAY }).record
      expect(record.bins.has('latest')).toBe(false)
      const late = op('latest', { n: 2, base, age: 100 * DAY })
      const { results } = run(record, [late], { now: START + 100 * DAY })
      expect(only(results)).toEqual({ n: 2, bin: 'latest', state: 'superseded', seen: 1 })
    })
  })

  it('never repeats a rev, never goes backwards, and keeps to its limits, whatever comes', () => {
    const name = fc.constantFrom('latest', 'server', 'fields', 'tab', 'trial', 'a', 'b')
    const anyOp = fc.record({
      bin: name,
      n: fc.integer({ min: 1, max: 50 }),
      base: fc.option(fc.integer({ min: 0, max: 5 }), { nil: null }),
      isDeletion: fc.boolean(),
      strict: fc.boolean(),
      age: fc.integer({ min: 0, max: 5_000 }),
      step: fc.integer({ min: -2_000, max: 40 * DAY }),
      client: fc.option(fc.constantFrom('one', 'two'), { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(anyOp, { maxLength: 40 }), (ops) => {
        let record = EMPTY
        let now = START
        const revs = new Set<number>()
        for (const { isDeletion, step, client, base, ...rest } of ops) {
          now += step
          const row = record.bins.get(rest.bin)
          // A low base stands for the present rev.
          const made = { ...rest, version: 1, base: base !== null && base < 3 && row ? row.rev : base }
          const before = record
          const each = isDeletion ? made : { ...made, text: TEXT }
          const { record: after, results } = apply(before, [each], {
            find: bins.find,
            now,
            mark: 'mark',
            client,
          })
          record = after
          const { state, row: kept } = only(results)
          expect(record.seq).toBeGreaterThanOrEqual(before.seq)
          expect(record.floor).toBeGreaterThanOrEqual(before.floor)
          expect(record.floor).toBeLessThanOrEqual(record.seq)
          if (state !== 'ok') {
            expect(record).toBe(before)
            continue
          }
          expect(revs).not.toContain(kept?.rev)
          revs.add(kept?.rev ?? 0)
          expect(record.seq).toBe(kept?.rev)
          expect(record.marks.at(-1)).toEqual([record.seq, 'mark'])
          const again = apply(record, [each], { find: bins.find, now, mark: 'again', client })
          if (client) expect(only(again.results).state).toBe('dup')
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('liveUntil', () => {
  it('is the latest end of what is live, in whichever session', () => {
    const { record } = run(EMPTY, [op('latest'), op('other', { n: 2 }), op('tab', { n: 3 })], {
      session: 'one',
    })
    expect(liveUntil(record, START + 2_000)).toBe(START + 1_000 + 60 * DAY)
    expect(liveUntil(record, START + 60 * DAY)).toBe(START + 1_000 + 60 * DAY)
    expect(liveUntil(record, START + 61 * DAY)).toBe(0)
  })

  it('is 0 if nothing is', () => {
    const record = withBin()
    expect(liveUntil(EMPTY, START)).toBe(0)
    const deleted = runOwn(record, [deletion('latest', { base: rowOf(record, 'latest').rev })]).record
    expect(liveUntil(deleted, START + 2_000)).toBe(0)
  })
})

describe('erase', () => {
  it('leaves a gravestone that knows its secrets and nothing else', () => {
    const record = run(EMPTY, [op('latest')]).record
    const erased = erase({ ...record, cookieUntil: 5 }, START + 5_000, 'last')
    expect(erased).toEqual({
      ...record,
      cookieUntil: 5,
      seq: START + 5_000,
      floor: START + 5_000,
      erased: START + 5_000,
      marks: [...record.marks, [START + 5_000, 'last']],
      bins: new Map(),
      applied: new Map(),
    })
  })
})
