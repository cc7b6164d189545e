// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { type LastWord, openLastWords } from '../../src/client/last-words.ts'
import { parseReplica, readingOf } from '../../src/client/replica-rows.ts'
import { memoryRows } from '../../src/client/storages/memory.ts'
import type { Rows } from '../../src/client/storages/rows.ts'
import { defineBins } from '../../src/core/definition.ts'
import { fakePage } from '../support/fake-page.ts'
import { fakeStorage } from '../support/fake-storage.ts'

const reading = readingOf(fakePage(), defineBins({ note: {} }))
const kept = (data: string) => ({ text: JSON.stringify({ json: data }), version: 1 })
const op = (n: number, data = 'mine') => ({
  n,
  kept: kept(data),
  at: n,
  from: null,
  strict: false,
  offered: false,
})
const meta = (client: string, last: number) => ({ v: 1, client, last, cursors: {} })
const word = (n: number, client = 'client'): LastWord => ({ tag: 'tag', client, bin: 'note', op: op(n) })

/** What the next page finds of the bin, after a page was left with these words. */
async function foundAfter(words: LastWord[], rows: Rows) {
  const texts = fakeStorage()
  expect(openLastWords(texts, 'bb', 'page-1').write(words)).toBe(true)
  await openLastWords(texts, 'bb', 'page-2').store(rows, reading)
  expect(texts.length).toBe(0)
  const replica = parseReplica(await rows.load('s/'), 'tag', reading)
  return { ...replica.meta, ...replica.rows.get('note') }
}

describe('the last words of a page', () => {
  it('are an edit of the next one, where nothing of it was stored', async () => {
    const found = await foundAfter([word(5)], memoryRows([['s/tag/', meta('client', 3)]]))
    expect(found).toMatchObject({ client: 'client', last: 5, op: { ...op(5), offered: true } })
  })

  it('are an edit of the next one, where nothing at all was stored', async () => {
    expect(await foundAfter([word(5)], memoryRows())).toMatchObject({ client: 'client', op: { n: 5 } })
  })

  it('mark the edit that was stored as sent', async () => {
    const rows = memoryRows([
      ['s/tag/', meta('client', 5)],
      ['s/tag/note', { v: 1, sent: [], op: op(5) }],
    ])
    expect(await foundAfter([word(5)], rows)).toMatchObject({ op: { n: 5, offered: true }, sent: [] })
  })

  it('are what the server may have built on, where the edit was stored under another number', async () => {
    const rows = memoryRows([
      ['s/tag/', meta('client', 6)],
      ['s/tag/note', { v: 1, sent: [], op: op(6) }],
    ])
    const found = await foundAfter([word(5), word(5)], rows)
    expect(found).toMatchObject({ op: op(6), sent: [{ n: 5, kept: kept('mine') }] })
  })

  it("are nobody's where the replica is another one by now", async () => {
    const found = await foundAfter([word(5)], memoryRows([['s/tag/', meta('other', 3)]]))
    expect(found).toEqual(meta('other', 3))
  })

  it('are not kept by a page without localStorage, or with a full one', () => {
    expect(openLastWords(undefined, 'bb', 'page').write([word(5)])).toBe(false)
    expect(openLastWords(fakeStorage({}, { maxBytes: 10 }), 'bb', 'page').write([word(5)])).toBe(false)
  })

  it('are forgotten when the page has stored them after all', () => {
    const texts = fakeStorage()
    const words = openLastWords(texts, 'bb', 'page')
    words.write([word(5)])
    words.erase()
    expect(texts.length).toBe(0)
  })

  it('mean nothing if somebody has changed them', async () => {
    const texts = fakeStorage({
      'breadbin-bb.left.x': '{',
      'breadbin-bb.left.y': '[null,{"tag":1}]',
      other: '',
    })
    const rows = memoryRows()
    await openLastWords(texts, 'bb', 'page').store(rows, reading)
    expect([...(await rows.load('s/')).keys()]).toEqual([])
    expect(Object.keys(texts)).toEqual(['other'])
  })
})
