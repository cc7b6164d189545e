import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { encode } from '../../../src/core/codec/codec.ts'
import { fromTrusted } from '../../../src/core/definition/bin-text.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { type AbsorbRules, absorb } from '../../../src/core/sync/apply-answer.ts'
import { apply, type Op } from '../../../src/core/sync/apply-edits.ts'
import { mergeBy } from '../../../src/core/sync/merge.ts'
import { type BinsRecord, createRecord, isLive } from '../../../src/core/sync/record.ts'
import { edit, offer, type PendingOp, type Replica, recall, visible } from '../../../src/core/sync/replica.ts'
import { type AnswerPart, fromCursor, toCursor, toWireRow, type WireOp } from '../../../src/core/sync/wire.ts'
import { SECOND, START } from '../../support/clock.ts'
import { coded, codedJson, decoded } from '../../support/wire.ts'

/** How often each thing was done: it shows whether an edit was lost, or was applied twice. */
type Counts = Readonly<Record<string, number>>

const schema = z.record(z.string(), z.number())

const definitions = defineBins({
  one: { schema, browser: 'write', merge: sumOfChanges },
  two: { schema, browser: 'write', merge: sumOfChanges },
  latest: { schema: z.string(), browser: 'write' },
})

const COUNTERS = ['one', 'two']
const SEEDS = 2_000
const STEPS = 80
const CLIENTS = 3

/** What may happen besides edits, and messages that are lost, doubled, and overtaken. */
interface Weather {
  /** Bins are deleted. */
  readonly deletes?: boolean
  /** A device loses power, and its database goes back to an earlier state. */
  readonly powerLoss?: boolean
  /** The server is restored from a backup. */
  readonly backup?: boolean
}

describe('the replicas of a record', () => {
  it('lose no edit and double none', () => {
    expect(firstFault(SEEDS, {}, everyEditOnce)).toBeUndefined()
  })

  it('lose no deletion and double none', () => {
    expect(firstFault(SEEDS, { deletes: true }, everyEditOnce)).toBeUndefined()
  })

  it('lose no edit that was made after a loss of power, and double none', () => {
    expect(firstFault(SEEDS, { powerLoss: true }, everyEditOnce)).toBeUndefined()
  })

  it('never bring back what was replaced', () => {
    expect(firstFault(SEEDS, { deletes: true }, nothingCameBack)).toBeUndefined()
  })

  it('become the same as the record', () => {
    expect(firstFault(SEEDS, { deletes: true, powerLoss: true, backup: true }, allAlike)).toBeUndefined()
  })

  it('all get the last edit of a bin', () => {
    expect(firstFault(SEEDS, { deletes: true, backup: true }, lastEditEverywhere)).toBeUndefined()
  })
})

describe('offer', () => {
  it('sends a text as base64url, and a deletion without one', () => {
    const text = '{"json":"ä \\"< ?>"}'
    const kept = { text, version: 2 }
    const options = { at: START, strict: false, store: 'default' }
    const one = edit(EMPTY, 'one', { ...options, kept })
    const both = edit(one, 'two', { ...options, kept: undefined })
    expect(offered(both).ops).toEqual([
      { n: START, bin: 'one', base: null, text: coded(text), age: 0, sv: 2 },
      { n: START + 1, bin: 'two', base: null, gone: true, age: 0, sv: 1 },
    ])
  })

  it('takes as many edits as there is room for, and one however large', () => {
    const names = Array.from({ length: 10 }, (_, index) => `bin-${index}`)
    const full = names.reduce((replica, name) => edited(replica, name, '東'.repeat(1_000), START), EMPTY)
    const lengthOf = (maxBytes: number) => {
      const { ops } = offer(full, names, { now: START + SECOND, maxOps: 64, maxBytes })
      expect(ops.length === 1 || Buffer.byteLength(JSON.stringify(ops)) <= maxBytes).toBe(true)
      return ops.length
    }
    // 3,011 bytes of text are 4,015 in base64url.
    expect([0, 8_300, 20_700, 41_500, 60_000].map(lengthOf)).toEqual([1, 2, 4, 10, 10])
  })
})

describe('absorb', () => {
  it('keeps an edit of a bin that was never pulled, where the bin is gone', () => {
    const replica = edited(EMPTY, 'latest', 'mine', 5)
    const [op] = offered(replica).ops
    const gone = {
      n: op?.n ?? 0,
      bin: 'latest',
      state: 'conflict',
      seen: 0,
      rev: 9,
      sv: 1,
      gone: true,
    } as const
    const { replica: after, outcomes } = absorb(offered(replica).replica, answer([gone]), RULES)
    expect(outcomes).toEqual([])
    expect(after.rows.get('latest')).toMatchObject({
      op: { n: 5, from: { rev: 9 }, kept: { text: encode('mine') } },
    })
  })

  it('keeps an edit that was made on top of one whose answer was lost', () => {
    const first = offered(edited(EMPTY, 'latest', 'first', 5)).replica
    const second = offered(edited(first, 'latest', 'second', 6)).replica
    const conflict = {
      n: 6,
      bin: 'latest',
      state: 'conflict',
      seen: 5,
      rev: 9,
      sv: 1,
      text: codedJson('first'),
    } as const
    const { replica: after } = absorb(second, answer([conflict]), RULES)
    expect(after.rows.get('latest')).toMatchObject({
      op: { n: 6, from: { rev: 9 }, kept: { text: encode('second') } },
    })
    expect(after.rows.get('latest')?.rejected).toBeUndefined()
  })

  it('gives up an edit of a bin that was never pulled, where there is data', () => {
    const replica = offered(edited(EMPTY, 'latest', 'mine', 5)).replica
    const conflict = {
      n: 5,
      bin: 'latest',
      state: 'conflict',
      seen: 0,
      rev: 9,
      sv: 1,
      text: codedJson('theirs'),
    } as const
    const { replica: after, outcomes } = absorb(replica, answer([conflict]), RULES)
    expect(outcomes).toEqual([{ bin: 'latest', outcome: 'rejected' }])
    expect(textIn(after, 'latest')).toBe(encode('theirs'))
    expect(after.rows.get('latest')?.rejected?.kept?.text).toBe(encode('mine'))
  })

  it('merges with a deletion of its own that the server has built on', () => {
    const pulled = absorb(
      EMPTY,
      { ...answer([]), changes: [{ bin: 'one', rev: 3, sv: 1, text: codedJson({ a: 5 }) }] },
      RULES,
    )
    const deleted = offered(
      edit(pulled.replica, 'one', { kept: undefined, at: 5, strict: false, store: 'default' }),
    ).replica
    const again = offered(edited(deleted, 'one', { a: 1 }, 6)).replica
    const conflict = {
      n: 6,
      bin: 'one',
      state: 'conflict',
      seen: 5,
      rev: 9,
      sv: 1,
      text: codedJson({ a: 3 }),
    } as const
    const { replica: after } = absorb(again, answer([conflict]), { ...RULES, sentCursor: 'epoch.9.mark' })
    expect(textIn(after, 'one')).toBe(encode({ a: 4 }))
  })

  it('does not merge an edit in twice that was applied after it was answered with a conflict', () => {
    const replica = offered(edited(EMPTY, 'one', { a: 1 }, 5)).replica
    const conflict = {
      n: 5,
      bin: 'one',
      state: 'conflict',
      seen: 0,
      rev: 9,
      sv: 1,
      text: codedJson({ b: 1 }),
    } as const
    const merged = offered(absorb(replica, answer([conflict]), RULES).replica)
    expect(merged.ops).toMatchObject([{ n: 6, base: 9, text: codedJson({ b: 1, a: 1 }) }])
    // What was there has expired, and then the first request came once more.
    const next = { ...conflict, n: 6, seen: 5, rev: 12, text: codedJson({ a: 1 }) }
    const { replica: after } = absorb(merged.replica, answer([next]), {
      ...RULES,
      sentCursor: 'epoch.9.mark',
    })
    expect(offered(after).ops).toEqual([])
    expect(textIn(after, 'one')).toBe(encode({ a: 1 }))
  })

  it('does not merge an edit in twice that another replica has made anew as well', () => {
    const also = { client: 'elsewhere', n: 5 }
    const replica = offered(edited(EMPTY, 'one', { a: 1 }, 5)).replica
    const conflict = { n: 5, bin: 'one', state: 'conflict', seen: 0, sv: 1 } as const
    const before = { ...conflict, rev: 9, text: codedJson({ b: 1 }) }
    const merged = absorb(replica, answer([before]), RULES).replica
    const more = offered(edited(merged, 'one', { a: 1, b: 1, c: 1 }, 8))
    expect(more.ops).toMatchObject([{ n: 8, base: 9 }])
    expect(more.ops).not.toMatchObject([{ also }])
    // The other one has sent #5, made anew under a number of its own, and somebody has added to it.
    const next = { ...conflict, n: 8, seen: 5, rev: 12, text: codedJson({ a: 1, b: 1, d: 1 }) }
    const { replica: after } = absorb(more.replica, answer([next]), { ...RULES, sentCursor: 'epoch.9.mark' })
    expect(textIn(after, 'one')).toBe(encode({ a: 1, b: 1, d: 1, c: 1 }))
  })

  it('waits for the last words of the page that has sent what it does not know of', () => {
    const replica = offered(edited(EMPTY, 'one', { a: 1 }, 7)).replica
    const conflict = {
      n: 7,
      bin: 'one',
      state: 'conflict',
      seen: 5,
      rev: 9,
      sv: 1,
      text: codedJson({ a: 1 }),
    } as const
    const waiting = absorb(replica, answer([conflict]), { ...RULES, mayHear: () => true })
    expect(waiting.outcomes).toEqual([{ bin: 'one', outcome: 'elsewhere' }])
    expect(waiting.replica.rows.get('one')).toEqual(replica.rows.get('one'))
    const heard = recall(waiting.replica, 'one', { ...opOf(edited(EMPTY, 'one', { a: 1 }, 5)), from: null })
    const { replica: after } = absorb(heard, answer([conflict]), { ...RULES, sentCursor: 'epoch.9.mark' })
    expect(textIn(after, 'one')).toBe(encode({ a: 1 }))
  })

  it('remembers the first of very many edits that may have been sent, and the last ones', () => {
    let replica = EMPTY
    for (let n = 1; n <= 300; n += 1) replica = offered(edited(replica, 'one', { a: n }, n)).replica
    for (const seen of [1, 299]) {
      const conflict = {
        n: 300,
        bin: 'one',
        state: 'conflict',
        seen,
        rev: 9,
        sv: 1,
        text: codedJson({ a: seen, b: 1 }),
      } as const
      expect(textIn(absorb(replica, answer([conflict]), RULES).replica, 'one')).toBe(encode({ a: 300, b: 1 }))
    }
    expect(replica.rows.get('one')?.sent.length).toBeLessThan(200)
  })

  it('takes an answer for lost that another one has overtaken', () => {
    const { replica } = absorb(EMPTY, answer([]), RULES)
    const change = { bin: 'latest', rev: 99, sv: 1, text: codedJson('late') }
    const late = { ...answer([]), cursor: 'epoch.99.mark', changes: [change] }
    expect(absorb(replica, late, RULES)).toEqual({ replica, outcomes: [] })
    expect(textIn(absorb(replica, late, { ...RULES, sentCursor: 'epoch.9.mark' }).replica, 'latest')).toBe(
      encode('late'),
    )
  })
})

const EMPTY: Replica = { rows: new Map(), meta: { v: 1, client: 'client', last: 0, cursors: {} } }

const RULES: AbsorbRules = {
  now: START,
  storeOf: () => 'default',
  sentCursor: undefined,
  merge: mergeBy(definitions),
  recompute: () => undefined,
  knowsVersion: () => true,
  mayHear: () => false,
}

function answer(results: AnswerPart['results']): AnswerPart {
  return { store: 'default', tag: 'tag', cursor: 'epoch.9.mark', results, changes: [] }
}

function opOf({ rows }: Replica): PendingOp {
  const op = rows.get('one')?.op
  if (!op) throw new Error('no edit waits')
  return op
}

function edited(replica: Replica, bin: string, data: unknown, at: number): Replica {
  const kept = { text: encode(data), version: 1 }
  return edit(replica, bin, { kept, at, strict: false, store: 'default' })
}

function offered(replica: Replica): { replica: Replica; ops: WireOp[] } {
  return offer(replica, definitions.names, { now: START, maxOps: 64, maxBytes: 100_000 })
}

function textIn({ rows }: Replica, bin: string): string | undefined {
  return visible(rows.get(bin), START)?.text
}

/** Runs simulations until a check finds a fault; a failure prints its seed. */
function firstFault(
  seeds: number,
  weather: Weather,
  check: (simulation: Simulation) => string | undefined,
): string | undefined {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const simulation = simulate(seed, weather)
    const fault = simulation.settle() ?? check(simulation)
    if (fault) return `seed ${seed}: ${fault}`
  }
  return undefined
}

function everyEditOnce({ clients, edits }: Simulation): string | undefined {
  for (const bin of COUNTERS) {
    const kept = dataOf(clients[0], bin)
    const made = edits.filter((one) => one.bin === bin)
    const expected = sum(made.map(({ delta }) => delta))
    const uncertain = new Set(made.flatMap(({ delta, isCertain }) => (isCertain ? [] : Object.keys(delta))))
    for (const key of Object.keys({ ...kept, ...expected })) {
      const [times = 0, should = 0] = [kept[key], expected[key]]
      if (times !== should && !uncertain.has(key))
        return `${bin}: ${key} is there ${times} times, not ${should}`
    }
  }
  return undefined
}

function nothingCameBack({ comebacks }: Simulation): string | undefined {
  return comebacks[0]
}

function allAlike({ clients, record }: Simulation): string | undefined {
  for (const [index, client] of clients.entries()) {
    for (const bin of definitions.names) {
      const [ours, theirs] = [textOf(client, bin), record().bins.get(bin)?.text]
      if (ours !== theirs) return `${bin}: client ${index} has ${ours}, the record ${theirs}`
    }
  }
  return undefined
}

function lastEditEverywhere(simulation: Simulation): string | undefined {
  const { clients } = simulation
  simulation.write(1, 'latest', encode('the last'))
  const fault = simulation.settle() ?? allAlike(simulation)
  return (
    fault ?? (textOf(clients[0], 'latest') === encode('the last') ? undefined : 'the last edit is not there')
  )
}

interface Client {
  readonly id: string
  replica: Replica
  /** How often the device was started. */
  life: number
}

interface Edit {
  readonly bin: string
  readonly client: Client | undefined
  readonly delta: Counts
  /** Whether its device still knew of it, and what it had sent, when it was started again. */
  isCertain: boolean
}

interface Simulation {
  readonly clients: readonly Client[]
  readonly edits: readonly Edit[]
  /** Older data that was seen again: in the record, or in a client. */
  readonly comebacks: readonly string[]
  record(): BinsRecord
  /** Makes an edit in a client. */
  write(client: number, bin: string, text: string | undefined): void
  /** Lets all clients sync until nothing is left to do; tells what keeps them from it. */
  settle(): string | undefined
}

interface Request {
  readonly client: Client
  readonly cursor: string | undefined
  readonly life: number
  readonly ops: readonly WireOp[]
}

interface Answer {
  readonly request: Request
  readonly part: AnswerPart
}

/** Runs clients and a server for a while, deterministic by its seed. */
function simulate(seed: number, { deletes = false, powerLoss = false, backup = false }: Weather): Simulation {
  const random = randomFrom(seed)
  const pick = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(random() * items.length)]
  const clients = Array.from({ length: CLIENTS }, (_, index): Client => {
    const id = `client-${index}`
    return { id, replica: { rows: new Map(), meta: { v: 1, client: id, last: 0, cursors: {} } }, life: 1 }
  })
  const edits: Edit[] = []
  const comebacks: string[] = []
  const replaced = new Set<string | undefined>()
  let now = START
  let record = createRecord({ epoch: 'epoch', mark: mark(), now, secrets: [] })
  let saved = record
  let requests: Request[] = []
  let answers: Answer[] = []
  const backups = new Map(clients.map((client) => [client, { replica: client.replica, edits: 0 }]))

  function mark(): string {
    return Math.floor(random() * 2 ** 32).toString(36)
  }

  function write(client: Client, bin: string, text: string | undefined): void {
    const kept = text === undefined ? undefined : { text, version: 1 }
    client.replica = edit(client.replica, bin, { kept, at: now, strict: random() < 0.2, store: 'default' })
  }

  function count(client: Client, bin: string): void {
    const before = dataOf(client, bin)
    const isDeletion = deletes && random() < 0.2
    const delta = isDeletion ? negative(before) : { [`edit-${edits.length}`]: 1 }
    edits.push({ bin, client, delta, isCertain: true })
    write(client, bin, textOfCounts(sum([before, delta])))
  }

  /** An edit in a page request, which reads and writes in one step. */
  function countOnServer(bin: string): void {
    const row = record.bins.get(bin)
    const delta = { [`edit-${edits.length}`]: 1 }
    edits.push({ bin, client: undefined, delta, isCertain: true })
    const text = textOfCounts(sum([toCounts(row?.text), delta]))
    const op = { n: 0, bin, base: row?.rev ?? 0, age: 0, version: 1, ...(text === undefined ? {} : { text }) }
    record = apply(record, [op], { find: definitions.find, now, mark: mark() }).record
  }

  function send(client: Client): Request {
    const { replica, ops } = offer(client.replica, definitions.names, { now, maxOps: 2, maxBytes: 100_000 })
    client.replica = replica
    return { client, cursor: replica.meta.cursors.default, ops, life: client.life }
  }

  function receive(request: Request): Answer {
    const { client, cursor = null } = request
    const ops = request.ops.map(toOp)
    const before = record.bins.get('latest')?.text
    const applied = apply(record, ops, { find: definitions.find, now, mark: mark(), client: client.id })
    record = applied.record
    const after = record.bins.get('latest')?.text
    if (after !== before && before !== undefined) replaced.add(before)
    if (replaced.has(after)) comebacks.push(`the record has ${after} again`)
    const since = fromCursor(cursor, record)
    const written = new Set(applied.results.filter(({ state }) => state === 'ok').map(({ bin }) => bin))
    const rows = [...record.bins].filter(([bin, row]) => !written.has(bin) && row.touched > (since ?? 0))
    const part: AnswerPart = {
      store: 'default',
      tag: 'tag',
      cursor: toCursor(record),
      results: applied.results.map(({ n, bin, state, seen, row }) => {
        return { n, bin, state, seen, ...(row ? toWireRow(row, isLive(row, now, undefined), now) : {}) }
      }),
      changes: rows.map(([bin, row]) => ({ bin, ...toWireRow(row, isLive(row, now, undefined), now) })),
      ...(since === undefined ? { reset: true } : {}),
    }
    return { request, part }
  }

  function take({ request: { client, cursor, life }, part }: Answer): void {
    if (life !== client.life) return
    const { rows } = client.replica
    client.replica = absorb(client.replica, part, {
      now,
      storeOf: () => 'default',
      sentCursor: cursor,
      merge: mergeBy(definitions),
      recompute: () => undefined,
      knowsVersion: () => true,
      mayHear: () => false,
    }).replica
    for (const [bin, { known }] of rows) {
      const rev = client.replica.rows.get(bin)?.known?.rev ?? 0
      if (known && rev < known.rev) comebacks.push(`${client.id} has an older ${bin} again`)
    }
  }

  function losePower(client: Client): void {
    const earlier = backups.get(client)
    if (!earlier) return
    client.replica = earlier.replica
    // It takes a while to start again. What was sent may still arrive, but nobody waits for the answer any more.
    now += SECOND
    client.life += 1
    for (const [index, made] of edits.entries()) {
      const op = client.replica.rows.get(made.bin)?.op
      const wasSentUnnoticed = op !== undefined && !op.offered
      if (made.client === client && (index >= earlier.edits || wasSentUnnoticed)) made.isCertain = false
    }
  }

  function step(): void {
    now += Math.floor(random() * 4)
    const client = pick(clients)
    const chance = random()
    if (!client) return
    if (chance < 0.25) count(client, pick(COUNTERS) ?? '')
    else if (chance < 0.3) countOnServer(pick(COUNTERS) ?? '')
    else if (chance < 0.35)
      write(client, 'latest', deletes && random() < 0.3 ? undefined : encode(`${client.id} at ${now}`))
    else if (chance < 0.6) requests.push(send(client))
    else if (chance < 0.8) requests = passOn(requests, (request) => answers.push(receive(request)))
    else if (chance < 0.97) answers = passOn(answers, take)
    else if (chance < 0.98 && powerLoss) losePower(client)
    else if (chance < 0.99 && powerLoss) backups.set(client, { replica: client.replica, edits: edits.length })
    else if (backup) [record, saved] = [random() < 0.5 ? saved : record, record]
  }

  /** Loses a message, delivers it, or delivers it and will do so again. */
  function passOn<Message>(messages: readonly Message[], deliver: (message: Message) => void): Message[] {
    const message = pick(messages)
    if (message === undefined) return []
    const chance = random()
    if (chance >= 0.25) deliver(message)
    return chance >= 0.85 ? [...messages] : messages.filter((other) => other !== message)
  }

  for (let index = 0; index < STEPS; index += 1) step()

  return {
    clients,
    edits,
    comebacks,
    record: () => record,
    write(index, bin, text) {
      now += SECOND
      const client = clients[index]
      if (client) write(client, bin, text)
    },
    settle() {
      for (let round = 0; round < 20; round += 1) {
        const before = record
        const states = clients.map(({ replica }) => replica.meta)
        for (const client of clients) {
          now += 1
          take(receive(send(client)))
        }
        const isQuiet = clients.every(
          ({ replica }, index) => replica.meta.cursors.default === states[index]?.cursors.default,
        )
        if (
          before === record &&
          isQuiet &&
          !clients.some(({ replica }) => [...replica.rows.values()].some(({ op }) => op))
        ) {
          return undefined
        }
      }
      return 'does not come to rest'
    },
  }
}

function toOp({ text, gone: _, sv, ...op }: WireOp): Op {
  return { ...op, version: sv, ...(text === undefined ? {} : { text: decoded(text) }) }
}

function sumOfChanges(base: Counts = {}, mine: Counts = {}, theirs: Counts = {}): Counts | null {
  const merged = sum([theirs, mine, negative(base)])
  return Object.keys(merged).length === 0 ? null : merged
}

function sum(all: readonly Counts[]): Counts {
  const total: Record<string, number> = {}
  for (const counts of all)
    for (const [key, count] of Object.entries(counts)) total[key] = (total[key] ?? 0) + count
  return Object.fromEntries(Object.entries(total).filter(([, count]) => count !== 0))
}

function negative(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).map(([key, count]) => [key, -count]))
}

function textOfCounts(counts: Counts): string | undefined {
  return Object.keys(counts).length === 0 ? undefined : encode(counts)
}

function toCounts(text: string | undefined): Counts {
  const reading = text === undefined ? undefined : fromTrusted(definitions.find('one'), { text, version: 1 })
  return reading && 'data' in reading ? (reading.data as Counts) : {}
}

function textOf(client: Client | undefined, bin: string): string | undefined {
  return client && textIn(client.replica, bin)
}

function dataOf(client: Client | undefined, bin: string): Counts {
  return toCounts(textOf(client, bin))
}

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
