import assert from 'node:assert/strict'
import type { Store } from '../../stores/store.ts'
import {
  assertGone,
  assertKept,
  countWon,
  create,
  entry,
  increment,
  LATER,
  NOW,
  type StoreCases,
} from './case.ts'

const RACERS = Array.from({ length: 20 }, (_, index) => index)
const ROUNDS = Array.from({ length: 10 }, (_, index) => `round ${index}`)
const TOMORROW = LATER + 86_400_000

/** Several callers at once, in one process. What they are told is what has happened. */
export const raceCases: StoreCases = {
  'lets one of 20 racers create': async (store) => {
    const results = await Promise.all(RACERS.map((racer) => store.write('key', entry(racer + 1), 0, NOW)))
    assert.equal(countWon(results), 1)
    await assertKept(store, 'key', entry(results.indexOf(true) + 1))
  },

  'lets one of 20 racers write over a version': async (store) => {
    await create(store, 'key', entry(1))
    const results = await Promise.all(RACERS.map((racer) => store.write('key', entry(racer + 2), 1, NOW)))
    assert.equal(countWon(results), 1)
    await assertKept(store, 'key', entry(results.indexOf(true) + 2))
  },

  'lets one of 20 racers write who all write the same': async (store) => {
    const results = await Promise.all(RACERS.map(() => store.write('key', entry(1), 0, NOW)))
    assert.equal(countWon(results), 1)
    const next = await Promise.all(RACERS.map(() => store.write('key', entry(2), 1, NOW)))
    assert.equal(countWon(next), 1)
    await assertKept(store, 'key', entry(2))
  },

  'lets one of 20 racers create over an expired entry': async (store) => {
    await create(store, 'key', entry(1))
    const write = (racer: number) => store.write('key', entry(racer + 2, 'new', TOMORROW), 0, LATER)
    const results = await Promise.all(RACERS.map(write))
    assert.equal(countWon(results), 1)
    await assertKept(store, 'key', entry(results.indexOf(true) + 2, 'new', TOMORROW), LATER)
  },

  'counts to 80 with 8 times 10 increments': async (store) => {
    const count = async () => {
      for (let turn = 0; turn < 10; turn += 1) await increment(store, 'counter')
    }
    await Promise.all(Array.from({ length: 8 }, count))
    assert.equal((await store.read('counter', { now: NOW, fresh: true }))?.text, '80')
  },

  'lets writers of different keys alone': async (store) => {
    const results = await Promise.all(
      RACERS.map((racer) => store.write(`key ${racer}`, entry(racer + 1), 0, NOW)),
    )
    assert.equal(countWon(results), RACERS.length)
    for (const racer of RACERS) await assertKept(store, `key ${racer}`, entry(racer + 1))
  },

  'answers every reader with a whole entry while others write': async (store) => {
    await create(store, 'key', entry(1, '1'.repeat(5_000)))
    const write = async () => {
      for (let version = 2; version <= 20; version += 1) {
        await store.write('key', entry(version, String(version).repeat(5_000)), version - 1, NOW)
      }
    }
    const read = async () => {
      let last = 0
      for (let turn = 0; turn < 20; turn += 1) {
        const stored = await store.read('key', { now: NOW, fresh: true })
        assert.ok(stored && stored.text === String(stored.version).repeat(5_000))
        assert.ok(stored.version >= last, 'went back in time')
        last = stored.version
      }
    }
    await Promise.all([write(), ...RACERS.map(read)])
  },

  'lets one of two deletes delete': async (store) => {
    for (const key of ROUNDS) {
      await create(store, key, entry(1))
      assert.equal(countWon(await Promise.all([store.delete(key), store.delete(key)])), 1)
      await assertGone(store, key)
    }
  },

  'deletes for good while others write': async (store) => {
    for (const key of ROUNDS) {
      await create(store, key, entry(1))
      const writes = [store.write(key, entry(2), 1, NOW), store.write(key, entry(3), 1, NOW)]
      assert.equal(await store.delete(key), true)
      await Promise.all(writes)
      await assertGone(store, key)
    }
  },

  'lets either a write or a delete of the same version win': async (store) => {
    for (const key of ROUNDS) {
      await create(store, key, entry(1))
      const [isWritten, isDeleted] = await Promise.all([
        store.write(key, entry(2), 1, NOW),
        store.delete(key, 1),
      ])
      assert.notEqual(isWritten, isDeleted)
      if (isWritten) await assertKept(store, key, entry(2))
      else await assertGone(store, key)
    }
  },

  'creates before or after a delete, never in between': async (store) => {
    for (const key of ROUNDS) {
      await create(store, key, entry(1))
      const [isDeleted, isCreated] = await Promise.all([
        store.delete(key),
        store.write(key, entry(2), 0, NOW),
      ])
      assert.equal(isDeleted, true)
      if (isCreated) await assertKept(store, key, entry(2))
      else await assertGone(store, key)
    }
  },

  'never sweeps what is created over an expired entry meanwhile': async (store, { sweepDelayMs }) => {
    const end = LATER + sweepDelayMs
    const next = entry(2, 'new', end + 1)
    for (const key of ROUNDS) {
      await create(store, key, entry(1))
      const [isCreated] = await Promise.all([store.write(key, next, 0, end), store.sweep(end, 100)])
      if (isCreated) await assertKept(store, key, next, end)
      else await assertGone(store, key, end)
    }
  },

  'either sweeps an entry or lets it be prolonged': async (store, { sweepDelayMs }) => {
    const end = LATER + sweepDelayMs
    const next = entry(2, 'long', end + 1)
    for (const key of ROUNDS) {
      await create(store, key, entry(1))
      const [isWritten] = await Promise.all([store.write(key, next, 1, NOW), store.sweep(end, 100)])
      if (isWritten) await assertKept(store, key, next, end)
      else await assertGone(store, key, NOW)
    }
  },

  'sweeps every entry once when two sweep': async (store, { sweeps, sweepDelayMs }) => {
    for (const key of ROUNDS) await create(store, key, entry(1))
    const end = LATER + sweepDelayMs
    const [one, other] = await Promise.all([store.sweep(end, 100), store.sweep(end, 100)])
    assert.equal(one + other, sweeps ? ROUNDS.length : 0)
  },

  'shows the next reader a write, a lost write and a deletion, without fresh': async (store) => {
    const look = async () => (await store.read('key', { now: NOW }))?.version
    assert.equal(await look(), undefined)
    await create(store, 'key', entry(1))
    assert.equal(await look(), 1)
    assert.equal(await store.write('key', entry(2), 1, NOW), true)
    assert.equal(await look(), 2)
    assert.equal(await store.write('key', entry(3), 1, NOW), false)
    assert.equal(await look(), 2)
    assert.equal(await store.delete('key', 1), false)
    assert.equal(await look(), 2)
    assert.equal(await store.delete('key', 2), true)
    assert.equal(await look(), undefined)
    await create(store, 'key', entry(9))
    assert.equal(await look(), 9)
  },

  'shows readers without fresh what is there as soon as all is quiet': async (store) => {
    for (const key of ROUNDS) {
      await create(store, key, entry(1))
      await Promise.all([
        ...RACERS.map(() => store.read(key, { now: NOW })),
        store.write(key, entry(2), 1, NOW),
        ...RACERS.map(() => store.read(key, { now: NOW })),
        store.delete(key),
        ...RACERS.map(() => store.read(key, { now: NOW })),
        store.write(key, entry(3), 0, NOW),
      ])
      const quiet = await store.read(key, { now: NOW, fresh: true })
      assert.deepEqual(await store.read(key, { now: NOW }), quiet)
      assert.deepEqual(await store.read(key, { now: NOW }), quiet)
    }
  },

  'loses no write while it sweeps': async (store, { sweepDelayMs }) => {
    const end = LATER + sweepDelayMs
    for (const key of ROUNDS) {
      await create(store, `expired ${key}`, entry(1))
      await create(store, key, entry(1, 'old', end + 1))
    }
    const sweep = async () => {
      for (let turn = 0; turn < 10; turn += 1) await store.sweep(end, 3)
    }
    await Promise.all([sweep(), ...ROUNDS.map((key) => overwrite(store, key, end))])
    for (const key of ROUNDS) await assertKept(store, key, entry(11, 'new', end + 1), end)
  },
}

async function overwrite(store: Store, key: string, now: number): Promise<void> {
  for (let version = 2; version <= 11; version += 1) {
    assert.equal(await store.write(key, entry(version, 'new', now + 1), version - 1, now), true)
  }
}
