import assert from 'node:assert/strict'
import { assertGone, assertKept, create, entry, LATER, NOW, type StoreCases } from './case.ts'

const YEAR_2039 = Date.UTC(2039, 5, 15)
const YEAR_9999 = Date.UTC(9999, 11, 31)

/** An entry is there until its expiry, whether a sweep has run or not. */
export const expiryCases: StoreCases = {
  'reads an entry until it expires, and not from then on': async (store, { expiryStepMs }) => {
    await create(store, 'key', entry(1))
    await assertKept(store, 'key', entry(1), LATER - expiryStepMs)
    await assertGone(store, 'key', LATER)
    await assertGone(store, 'key', LATER + 1)
  },

  'goes by the clock of each caller, and by no other': async (store, { expiryStepMs }) => {
    const [behind, ahead] = [NOW - 300_000, NOW + 300_000]
    const next = entry(1, 'text', NOW + 60_000)
    assert.equal(await store.write('key', next, 0, behind), true)
    await assertGone(store, 'key', ahead)
    await assertKept(store, 'key', next, NOW + 60_000 - expiryStepMs)
    assert.equal(await store.write('key', entry(2, 'late', ahead + 1_000), 1, ahead), false)
    assert.equal(await store.write('key', entry(3, 'new', ahead + 60_000), 0, ahead), true)
    await assertKept(store, 'key', entry(3, 'new', ahead + 60_000), behind)
  },

  'refuses a writer who read an entry that has expired since': async (store) => {
    await create(store, 'key', entry(1))
    assert.equal(await store.write('key', entry(2, 'late', LATER + 1), 1, LATER), false)
    await assertGone(store, 'key', LATER)
  },

  'creates over an expired entry': async (store) => {
    await create(store, 'key', entry(1))
    const next = entry(2, 'new', LATER + 86_400_000)
    assert.equal(await store.write('key', next, 0, LATER), true)
    await assertKept(store, 'key', next, LATER)
    assert.equal(await store.write('key', entry(3, 'late', LATER + 86_400_000), 1, LATER), false)
    await assertKept(store, 'key', next, LATER)
  },

  'prolongs and shortens an entry with a write': async (store, { expiryStepMs }) => {
    await create(store, 'key', entry(1))
    assert.equal(await store.write('key', entry(2, 'long', LATER + 60_000), 1, NOW), true)
    await assertKept(store, 'key', entry(2, 'long', LATER + 60_000), LATER + 60_000 - expiryStepMs)
    assert.equal(await store.write('key', entry(3, 'short', NOW + 60_000), 2, NOW), true)
    await assertGone(store, 'key', NOW + 60_000)
  },

  'keeps 30 days apart from 30 days and a second': async (store, { expiryStepMs }) => {
    // Memcached reads anything above 30 days as a date.
    for (const [key, seconds] of Object.entries({ less: 2_591_999, just: 2_592_000, more: 2_592_001 })) {
      const expires = NOW + seconds * 1_000
      await create(store, key, entry(1, key, expires))
      await assertKept(store, key, entry(1, key, expires), expires - expiryStepMs)
      await assertGone(store, key, expires)
    }
  },

  'keeps an entry beyond the year 2038': async (store, { expiryStepMs }) => {
    await create(store, 'key', entry(1, 'late', YEAR_2039))
    await assertKept(store, 'key', entry(1, 'late', YEAR_2039), YEAR_2039 - expiryStepMs)
    await assertGone(store, 'key', YEAR_2039)
  },

  'keeps an entry that never expires': async (store) => {
    await create(store, 'key', entry(1, 'for ever', Infinity))
    await assertKept(store, 'key', entry(1, 'for ever', Infinity), YEAR_9999)
    await store.sweep(YEAR_9999, 100)
    await assertKept(store, 'key', entry(1, 'for ever', Infinity), YEAR_9999)
    assert.equal(await store.write('key', entry(2), 1, NOW), true)
    await assertKept(store, 'key', entry(2))
  },

  'sweeps what has expired and nothing else': async (store, { sweeps, sweepDelayMs }) => {
    const end = LATER + sweepDelayMs
    await create(store, 'expired', entry(1))
    await create(store, 'also expired', entry(1, 'x', LATER - 1))
    await create(store, 'live', entry(1, 'live', end + 1))
    await create(store, 'for ever', entry(1, 'for ever', Infinity))
    await create(store, 'deleted', entry(1))
    await store.delete('deleted')
    assert.equal(await store.sweep(NOW, 100), 0)
    await assertKept(store, 'expired', entry(1))
    assert.equal(await store.sweep(end, 100), sweeps ? 2 : 0)
    assert.equal(await store.sweep(end, 100), 0)
    await assertGone(store, 'expired', end)
    await assertKept(store, 'live', entry(1, 'live', end + 1), end)
    await assertKept(store, 'for ever', entry(1, 'for ever', Infinity), end)
    // Gone, and not only invisible.
    if (sweeps) await assertGone(store, 'expired', NOW)
  },

  'sweeps no more than it is told at a time': async (store, { sweeps, sweepDelayMs }) => {
    for (let index = 0; index < 5; index += 1) await create(store, `key ${index}`, entry(1))
    const counts: number[] = []
    for (let turn = 0; turn < 4; turn += 1) counts.push(await store.sweep(LATER + sweepDelayMs, 2))
    assert.deepEqual(counts, sweeps ? [2, 2, 1, 0] : [0, 0, 0, 0])
  },

  'creates again after a sweep, and refuses writers from before': async (store, { sweepDelayMs }) => {
    const end = LATER + sweepDelayMs
    await create(store, 'key', entry(1))
    await store.sweep(end, 100)
    assert.equal(await store.write('key', entry(2, 'late', end + 1), 1, end), false)
    assert.equal(await store.write('key', entry(3, 'new', end + 1), 0, end), true)
    assert.equal(await store.write('key', entry(4, 'late', end + 1), 1, end), false)
    await assertKept(store, 'key', entry(3, 'new', end + 1), end)
  },
}
