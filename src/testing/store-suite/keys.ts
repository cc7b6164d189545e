import assert from 'node:assert/strict'
import { assertGone, assertKept, create, entry, NOW, type StoreCases } from './case.ts'

const words = (text: string): string[] => text.split(' ')

/** Keys that some system takes for something else, or for each other. */
const KEYS: readonly string[] = [
  ...words('a A ab a_b a:b a/b a.b a-b a%b a*b a?b a\\b a\0b b'),
  ...words('__proto__ constructor toString hasOwnProperty length then'),
  ...words('. .. ../a / // /etc/passwd C:\\a CON nul a. ~ -rf .a'),
  ...words('0 00 1 01 1.0 1e0 -1 true null undefined NaN'),
  ...words('\' " ` ; -- % %25 %00 %2e%2e $1 {a} <a> & # @ ! |'),
  ...words('\0 \t \n \r\n \x1B[0m \x7F \xA0 \u200B \u2028 \uFEFF \uFFFF'),
  ...words('\xE9 e\u0301 \xC9 ß ss ı i I İ \uFB00 ff \xC5 \u212B'),
  ...words('日本 שלום \u202Eabc 😀 😁 👩‍👧 \u{10FFFF}'),
  ...[' ', 'a ', ' a', 'a b', '[object Object]'],
  ...['x'.repeat(127), 'x'.repeat(128), 'X'.repeat(128), '€'.repeat(128), '😀'.repeat(64)],
]

/** Keys never touch each other. */
export const keyCases: StoreCases = {
  'keeps keys apart that differ in anything': async (store) => {
    for (const [index, key] of KEYS.entries()) await create(store, key, entry(index + 1))
    for (const [index, key] of KEYS.entries()) await assertKept(store, key, entry(index + 1))
  },

  'finds no key that was never written': async (store) => {
    for (const key of KEYS) await assertGone(store, key)
    for (const key of KEYS) assert.equal(await store.delete(key), false)
  },

  'deletes one key and no other': async (store) => {
    for (const key of KEYS) await create(store, key, entry(1))
    for (const [index, key] of KEYS.entries()) {
      if (index % 2 === 0) assert.equal(await store.delete(key), true, JSON.stringify(key))
    }
    for (const [index, key] of KEYS.entries()) {
      if (index % 2 === 0) await assertGone(store, key)
      else await assertKept(store, key, entry(1))
    }
  },

  'writes one key and no other': async (store) => {
    for (const key of KEYS) await create(store, key, entry(1))
    assert.equal(await store.write('a', entry(2), 1, NOW), true)
    for (const key of KEYS) await assertKept(store, key, entry(key === 'a' ? 2 : 1))
  },
}
