import assert from 'node:assert/strict'
import { assertGone, assertKept, create, entry, NOW, type StoreCases } from './case.ts'

/** Who may write and delete, one after the other. */
export const writeCases: StoreCases = {
  'never replaces a live entry when it creates': async (store) => {
    await create(store, 'key', entry(1))
    assert.equal(await store.write('key', entry(2), 0, NOW), false)
    await assertKept(store, 'key', entry(1))
  },

  'writes over the version that was read': async (store) => {
    await create(store, 'key', entry(1))
    assert.equal(await store.write('key', entry(5), 1, NOW), true)
    assert.equal(await store.write('key', entry(6), 5, NOW), true)
    await assertKept(store, 'key', entry(6))
  },

  'changes nothing when the version has moved on': async (store) => {
    await create(store, 'key', entry(1))
    assert.equal(await store.write('key', entry(3), 1, NOW), true)
    assert.equal(await store.write('key', entry(4), 1, NOW), false)
    await assertKept(store, 'key', entry(3))
  },

  'changes nothing for a version that is still to come': async (store) => {
    await create(store, 'key', entry(1))
    assert.equal(await store.write('key', entry(9), 8, NOW), false)
    await assertKept(store, 'key', entry(1))
  },

  'creates nothing for a version of a key that was never written': async (store) => {
    assert.equal(await store.write('key', entry(2), 1, NOW), false)
    await assertGone(store, 'key')
  },

  'brings nothing back with a write after a delete': async (store) => {
    await create(store, 'key', entry(1))
    assert.equal(await store.delete('key'), true)
    assert.equal(await store.write('key', entry(2), 1, NOW), false)
    await assertGone(store, 'key')
  },

  'creates again after a delete': async (store) => {
    await create(store, 'key', entry(1))
    await store.delete('key')
    await create(store, 'key', entry(2))
    await assertKept(store, 'key', entry(2))
  },

  'refuses a writer of a former life': async (store) => {
    await create(store, 'key', entry(1))
    await store.delete('key')
    await create(store, 'key', entry(10))
    assert.equal(await store.write('key', entry(11), 1, NOW), false)
    await assertKept(store, 'key', entry(10))
  },

  'survives ten lives': async (store) => {
    for (let life = 1; life <= 10; life += 1) {
      await create(store, 'key', entry(life * 10))
      assert.equal(await store.write('key', entry(life * 10 + 1), life * 10, NOW), true)
      await assertKept(store, 'key', entry(life * 10 + 1))
      assert.equal(await store.delete('key'), true)
      await assertGone(store, 'key')
    }
  },

  'deletes once, and says so': async (store) => {
    await create(store, 'key', entry(1))
    assert.equal(await store.delete('key'), true)
    assert.equal(await store.delete('key'), false)
    await assertGone(store, 'key')
  },

  'deletes what was never there without an error': async (store) => {
    assert.equal(await store.delete('missing'), false)
    assert.equal(await store.delete('missing', 1), false)
  },

  'deletes only the version it is told': async (store) => {
    await create(store, 'key', entry(1))
    assert.equal(await store.write('key', entry(2), 1, NOW), true)
    assert.equal(await store.delete('key', 1), false)
    await assertKept(store, 'key', entry(2))
    assert.equal(await store.delete('key', 2), true)
    await assertGone(store, 'key')
  },

  'refuses what has expired as it is written with a TypeError': async (store) => {
    for (const expires of [NOW, NOW - 1, 0, Number.NaN, -Infinity]) {
      await assert.rejects(async () => store.write('key', entry(1, '', expires), 0, NOW), TypeError)
    }
    await assertGone(store, 'key')
  },

  'refuses a version that is not above the expected one with a TypeError': async (store) => {
    await create(store, 'key', entry(5))
    for (const version of [5, 4, 0, -1, Number.NaN]) {
      await assert.rejects(async () => store.write('key', entry(version), 5, NOW), TypeError)
    }
    await assertKept(store, 'key', entry(5))
  },
}
