import assert from 'node:assert/strict'
import type { Store } from '../../stores/store.ts'
import { entry, NOW, type StoreCases } from './case.ts'

/** A call that has taken place: something happened to a key between two moments. */
export interface HistoryEvent {
  /** When it began, on the clock of all callers. */
  readonly from: number
  /** When its answer was there. */
  readonly to: number
  /** The version before; 0 = none. */
  readonly before: number
  /** The version after; 0 = none. That of a read is the same. */
  readonly after: number
}

/** What callers at random do to one key at once could have been done by one caller after the other. */
export const historyCases: StoreCases = {
  'answers callers at random as if one had come after the other': async (store) => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const events = await callAtRandom(store, `key ${seed}`, seed)
      checkHistory(events, `seed ${seed}`)
    }
  },
}

/** Lets 8 callers read, write, create and delete 25 times each, and remembers what they were told. */
async function callAtRandom(store: Store, key: string, seed: number): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = []
  let moment = 0
  let version = 0
  const call = async (roll: () => number) => {
    let known = 0
    for (let turn = 0; turn < 25; turn += 1) {
      const [from, before, what] = [++moment, known, roll()]
      if (what < 0.4) {
        known = (await store.read(key, { now: NOW, fresh: true }))?.version ?? 0
        events.push({ from, to: ++moment, before: known, after: known })
        continue
      }
      const after = what < 0.9 || before === 0 ? ++version : 0
      // Whoever read a later version than this would write a lower one over it.
      if (after > 0 && after <= before) continue
      const isDone = after > 0 ? store.write(key, entry(after), before, NOW) : store.delete(key, before)
      if (await isDone) events.push({ from, to: ++moment, before, after })
      known = (await isDone) ? after : 0
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, caller) => call(rollFrom(seed * 8 + caller))))
  return events
}

/**
 * Checks that the history of a key is linearizable: that there is an order of all events in which each finds what the one
 * before has left, and that is the order of time wherever one had ended before the other began. No version comes twice.
 */
export function checkHistory(events: readonly HistoryEvent[], name: string): void {
  const changes = events.filter(({ before, after }) => before !== after)
  const birthOf = new Map(changes.filter(({ after }) => after > 0).map((event) => [event.after, event]))
  const endOf = new Map<number, HistoryEvent>()
  for (const event of changes) {
    if (event.before === 0) continue
    assert.ok(!endOf.has(event.before), `${name}: version ${event.before} was changed twice`)
    assert.ok(birthOf.has(event.before), `${name}: version ${event.before} came from nowhere`)
    endOf.set(event.before, event)
  }
  const isBefore = (one?: HistoryEvent, other?: HistoryEvent) => one && other && one.to < other.from
  const lives = changes
    .filter(({ before }) => before === 0)
    .map((first) => ({ first, last: lastOf(first, endOf) }))
  lives.sort((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1))
  for (const [index, { last }] of lives.entries()) {
    const next = lives[index + 1]
    if (!next) continue
    assert.ok(last.after === 0, `${name}: created over version ${last.after}`)
    assert.ok(!isBefore(next.first, last), `${name}: version ${next.first.after} was there before a deletion`)
  }
  for (const read of events.filter(({ before, after }) => before === after)) {
    if (read.after > 0) {
      const birth = birthOf.get(read.after)
      assert.ok(birth && !isBefore(read, birth), `${name}: read ${read.after} before it was written`)
      assert.ok(!isBefore(endOf.get(read.after), read), `${name}: read ${read.after} when it was over`)
      continue
    }
    const isThere = lives.some(
      ({ first, last }) => isBefore(first, read) && (last.after > 0 || isBefore(read, last)),
    )
    assert.ok(!isThere, `${name}: read nothing while there was something`)
  }
}

/**
 * When a life surely was, as far as can be told: who has created it may hear of that after others have ended it. One that
 * has not ended comes last.
 */
function orderOf({ first, last }: { first: HistoryEvent; last: HistoryEvent }): number {
  return last.after === 0 ? Math.min(first.to, last.from) : Infinity
}

/** The event that ends a life, or the last so far. */
function lastOf(first: HistoryEvent, endOf: ReadonlyMap<number, HistoryEvent>): HistoryEvent {
  let last = first
  for (let next = endOf.get(last.after); next; next = endOf.get(last.after)) last = next
  return last
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function rollFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
