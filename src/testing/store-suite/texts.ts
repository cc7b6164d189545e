import assert from 'node:assert/strict'
import { assertGone, assertKept, create, entry, LATER, NOW, type StoreCases } from './case.ts'

const TEXTS: Readonly<Record<string, string>> = {
  empty: '',
  space: ' ',
  lines: 'a\nb\r\nc\r',
  quotes: `'"\`\\%_$1?;--`,
  null: 'null',
  number: '0012',
  accents: 'Grüße, Ångström, e\u0301',
  scripts: '日本語 עברית ไทย',
  emoji: '👩‍👩‍👧‍👦 \u{1F600}',
  'U+0000': 'a\0b\0',
  'U+2028': 'a\u2028b\u2029c',
  'byte order mark': '\uFEFFa',
  'last characters': '\uFFFD\uFFFE\uFFFF\u{10FFFF}',
  '1 MB': 'x'.repeat(1_000_000),
  '1 MB in UTF-8': 'aü€😀'.repeat(100_000),
}

/** What comes out is what went in. */
export const textCases: StoreCases = {
  'answers undefined for a key that was never written': async (store) => {
    await assertGone(store, 'missing')
  },

  'reads an entry as it was written': async (store) => {
    await create(store, 'key', entry(7, '{"a":1}'))
    await assertKept(store, 'key', { version: 7, text: '{"a":1}', expires: LATER })
  },

  'reads the same with and without fresh': async (store) => {
    await create(store, 'key', entry(7))
    assert.deepEqual(await store.read('key', { now: NOW }), entry(7))
  },

  'keeps any well-formed text': async (store, { maxTextBytes }) => {
    for (const [name, text] of Object.entries(TEXTS)) {
      if (Buffer.byteLength(text) > maxTextBytes) continue
      await create(store, name, entry(1, text))
      const stored = await store.read(name, { now: NOW, fresh: true })
      assert.ok(stored?.text === text, name)
    }
  },

  'refuses a text over its limit with TOO_LARGE, and keeps what is there': async (
    store,
    { maxTextBytes },
  ) => {
    if (maxTextBytes === Infinity) return
    await create(store, 'key', entry(1, 'x'.repeat(maxTextBytes)))
    for (const text of ['x'.repeat(maxTextBytes + 1), '€'.repeat(maxTextBytes / 2), 'x'.repeat(3_000_000)]) {
      const tooLarge = { name: 'BinsError', code: 'TOO_LARGE' }
      await assert.rejects(async () => store.write('key', entry(2, text), 1, NOW), tooLarge)
      await assert.rejects(async () => store.write('new', entry(2, text), 0, NOW), tooLarge)
    }
    await assertKept(store, 'key', entry(1, 'x'.repeat(maxTextBytes)))
    await assertGone(store, 'new')
  },

  'refuses a lone surrogate with a TypeError, or keeps it': async (store) => {
    const next = entry(1, 'a\uD800b')
    try {
      await store.write('key', next, 0, NOW)
    } catch (error) {
      assert.ok(error instanceof TypeError)
      return
    }
    await assertKept(store, 'key', next)
  },

  'keeps any version up to the largest safe integer': async (store) => {
    for (const version of [1, 2 ** 31, 2 ** 32 + 1, NOW, Number.MAX_SAFE_INTEGER]) {
      await create(store, `version ${version}`, entry(version))
      await assertKept(store, `version ${version}`, entry(version))
    }
  },

  'leaves nothing of a longer text behind': async (store) => {
    await create(store, 'key', entry(1, 'long '.repeat(10_000)))
    assert.equal(await store.write('key', entry(2, 'short'), 1, NOW), true)
    await assertKept(store, 'key', entry(2, 'short'))
    assert.equal(await store.write('key', entry(3, ''), 2, NOW), true)
    await assertKept(store, 'key', entry(3, ''))
  },

  'shares no object with its caller': async (store) => {
    const mine = { ...entry(1) }
    await create(store, 'key', mine)
    mine.text = 'changed'
    const first = await store.read('key', { now: NOW })
    if (first && !Object.isFrozen(first)) Object.assign(first, { version: 9, text: 'changed', expires: 0 })
    await assertKept(store, 'key', entry(1))
    assert.equal(await store.write('key', entry(2), 1, NOW), true)
  },
}
