// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { openLastWords, type PageWords } from '../../../src/client/replica/last-words.ts'
import { parseReplica, readingOf } from '../../../src/client/replica/replica-rows.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import type { Rows } from '../../../src/client/table/rows.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { MergeBin } from '../../../src/core/sync/merge.ts'
import { fakePage } from '../../support/pages/fake-page.ts'
import { fakeStorage } from '../../support/pages/fake-storage.ts'

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
const meta = (client: string, last: number, more: object = {}) => ({
  v: 1,
  client,
  last,
  cursors: {},
  ...more,
})
const words = (parts: Partial<PageWords>): PageWords => ({
  tag: 'tag',
  client: 'client',
  page: 'page-1',
  isShared: true,
  sent: [],
  drafts: [],
  ...parts,
})
const sent = (n: number, client = 'client') => words({ client, sent: [{ bin: 'note', op: op(n) }] })
const draft = (count: number, data: string, more: object = {}) => {
  return { count, bin: 'note', store: 'default', from: null, kept: kept(data), at: 5, strict: false, ...more }
}
/** A merge rule that shows what it was given. */
const merge: MergeBin = (_, { base, mine, theirs }) =>
  kept([base, mine, theirs].map((text) => (text ? JSON.parse(text.text).json : 'nothing')).join())

/** What the next page finds of the bin, after pages were left with these words. */
async function foundAfter(said: PageWords[], rows: Rows, tag = 'tag', rule?: MergeBin) {
  const texts = fakeStorage()
  for (const [index, one] of said.entries()) {
    expect(openLastWords(texts, 'bb', `page-${index}`).write(one)).toBe(true)
  }
  const options = { reading, isShared: () => true, merge: rule ?? (() => undefined), clock: () => 10 }
  await openLastWords(texts, 'bb', 'next').store(rows, options)
  expect(texts.length).toBe(0)
  const replica = parseReplica(await rows.load('s/'), tag, reading)
  return { ...replica.meta, ...replica.rows.get('note') }
}

describe('an edit that a page sent when it went away', () => {
  it('is marked as sent', async () => {
    const rows = memoryRows([
      ['s/tag/', meta('client', 5)],
      ['s/tag/note', { v: 1, sent: [], op: { ...op(5), from: { rev: 4 } } }],
    ])
    const found = await foundAfter([sent(5)], rows)
    expect(found).toMatchObject({ op: { n: 5, offered: true, from: { rev: 4 } }, sent: [] })
  })

  it('is what the server may have built on, where a newer one has taken its place', async () => {
    const rows = memoryRows([
      ['s/tag/', meta('client', 6)],
      ['s/tag/note', { v: 1, sent: [], op: op(6) }],
    ])
    const found = await foundAfter([sent(5), sent(5)], rows)
    expect(found).toMatchObject({ op: op(6), sent: [{ n: 5, kept: kept('mine') }] })
  })

  it('is nothing that later edits were made on, where it was answered for before they were', async () => {
    const known = { rev: 8, kept: kept('theirs'), expires: 100 }
    const row = { v: 1, sent: [], known, op: { ...op(9), from: { rev: 8, kept: kept('theirs') } } }
    const rows = memoryRows([
      ['s/tag/', meta('client', 9)],
      ['s/tag/note', row],
    ])
    expect(await foundAfter([sent(5)], rows)).toMatchObject({ op: { n: 9 }, sent: [] })
  })

  it('does not wait once more, where it was answered for', async () => {
    const row = { v: 1, sent: [], known: { rev: 8, kept: kept('theirs'), expires: 100 } }
    const rows = memoryRows([
      ['s/tag/', meta('client', 5)],
      ['s/tag/note', row],
    ])
    expect(await foundAfter([sent(5)], rows)).toEqual({ ...meta('client', 5), ...row })
  })

  it('waits once more, where a loss of power has undone it', async () => {
    const found = await foundAfter([sent(5)], memoryRows([['s/tag/', meta('client', 3)]]))
    expect(found).toMatchObject({ client: 'client', last: 5, op: { ...op(5), offered: true } })
  })

  it('is one of the visitor that is known since', async () => {
    const rows = memoryRows([['s/known/', meta('client', 3)]])
    expect(await foundAfter([{ ...sent(5), tag: '' }], rows, 'known')).toMatchObject({ op: { n: 5 } })
    expect(await rows.load('s/new/')).toEqual(new Map())
  })

  it("is nobody's where the replica is another one by now", async () => {
    const found = await foundAfter([sent(5, 'gone')], memoryRows([['s/tag/', meta('other', 3)]]))
    expect(found).toEqual(meta('other', 3))
  })
})

describe('an edit that a page may not have stored when it went away', () => {
  it('is made by the next page', async () => {
    const found = await foundAfter([words({ drafts: [draft(1, 'new')] })], memoryRows())
    expect(found).toMatchObject({ client: 'client', op: { n: 5, kept: kept('new') }, made: { 'page-1': 1 } })
  })

  it('is not made twice, if it was stored after all', async () => {
    const rows = memoryRows([['s/tag/', meta('client', 5, { made: { 'page-1': 1 } })]])
    const said = words({ drafts: [draft(1, 'stored'), draft(2, 'not stored')] })
    expect(await foundAfter([said], rows)).toMatchObject({ op: { kept: kept('not stored') } })
    expect(await foundAfter([said], rows)).toMatchObject({ op: { kept: kept('not stored') }, last: 6 })
  })

  it('is merged with what was stored meanwhile', async () => {
    const rows = () =>
      memoryRows([
        ['s/tag/', meta('client', 5)],
        ['s/tag/note', { v: 1, sent: [], op: op(5, 'theirs') }],
      ])
    const said = words({ drafts: [draft(1, 'mine', { base: kept('base'), from: { rev: 3 } })] })
    expect(await foundAfter([said], rows(), 'tag', merge)).toMatchObject({
      op: { kept: kept('base,mine,theirs'), from: null },
    })
    expect(await foundAfter([said], rows())).toMatchObject({ op: { kept: kept('mine'), from: { rev: 3 } } })
  })

  it('is kept as refused, if it was computed from what is not there any more', async () => {
    const rows = memoryRows([
      ['s/tag/', meta('client', 5)],
      ['s/tag/note', { v: 1, sent: [], op: op(5, 'theirs') }],
    ])
    const said = words({ drafts: [draft(1, 'mine', { strict: true })] })
    expect(await foundAfter([said], rows)).toMatchObject({
      op: { kept: kept('theirs') },
      rejected: { kept: kept('mine') },
      made: { 'page-1': 1 },
    })
  })
})

describe('the last words of a page', () => {
  it('are not kept by a page without localStorage, or with a full one', () => {
    expect(openLastWords(undefined, 'bb', 'page').write(sent(5))).toBe(false)
    expect(openLastWords(fakeStorage({}, { maxBytes: 10 }), 'bb', 'page').write(sent(5))).toBe(false)
  })

  it('are forgotten when the page has stored everything after all', () => {
    const texts = fakeStorage()
    const lastWords = openLastWords(texts, 'bb', 'page')
    lastWords.write(sent(5))
    lastWords.erase()
    expect(texts.length).toBe(0)
  })

  it('wait, if they are about the rows of all tabs, for a page that can read those', async () => {
    const texts = fakeStorage()
    const shared = () => [['s/tag/', meta('client', 5)]] as const
    openLastWords(texts, 'bb', 'page').write(words({ drafts: [draft(1, 'mine')] }))
    const degraded = memoryRows(shared())
    const options = { reading, isShared: () => false, merge: () => undefined, clock: () => 10 }
    await openLastWords(texts, 'bb', 'next').store(degraded, options)
    expect([...(await degraded.load('s/')).keys()]).toEqual(['s/tag/'])
    expect(texts.length).toBe(1)
    const rows = memoryRows(shared())
    await openLastWords(texts, 'bb', 'next').store(rows, { ...options, isShared: () => true })
    expect([...(await rows.load('s/')).keys()]).toContain('s/tag/note')
    expect(texts.length).toBe(0)
  })

  it('are stored by a page with rows of its own, if they are about those', async () => {
    const texts = fakeStorage()
    openLastWords(texts, 'bb', 'page').write(words({ isShared: false, drafts: [draft(1, 'mine')] }))
    const rows = memoryRows([['s/tag/', meta('client', 5)]])
    const options = { reading, isShared: () => false, merge: () => undefined, clock: () => 10 }
    await openLastWords(texts, 'bb', 'page').store(rows, options)
    expect([...(await rows.load('s/')).keys()]).toContain('s/tag/note')
    expect(texts.length).toBe(0)
  })

  it('can be taken back by a page that goes on by itself, as long as no other has taken them', async () => {
    const texts = fakeStorage()
    const page = openLastWords(texts, 'bb', 'page-1')
    const said = words({ drafts: [draft(1, 'first'), draft(2, 'second')] })
    page.write(said)
    expect(page.takeBack()).toBe(0)
    expect(texts.length).toBe(0)

    page.write(said)
    const options = { reading, isShared: () => true, merge: () => undefined, clock: () => 10 }
    const rows = memoryRows([['s/tag/', meta('client', 0)]])
    let lateness = 0
    await openLastWords(texts, 'bb', 'next').store(
      {
        ...rows,
        change: (prefix, step) =>
          rows.change(prefix, (all) => {
            const changes = step(all)
            // In the middle of the transaction that stores them.
            lateness = page.takeBack()
            return changes
          }),
      },
      options,
    )
    expect(lateness).toBe(2)
    expect(page.takeBack()).toBe(2)
    expect(texts.length).toBe(0)
    expect(parseReplica(await rows.load('s/'), 'tag', reading).meta.made).toEqual({ 'page-1': 2 })
  })

  it('are left alone by a page for which they come too late', async () => {
    const texts = fakeStorage()
    const page = openLastWords(texts, 'bb', 'page-1')
    page.write(words({ drafts: [draft(1, 'first')] }))
    const rows = memoryRows([['s/tag/', meta('client', 0)]])
    const change: Rows['change'] = (prefix, step) => {
      page.takeBack()
      return rows.change(prefix, step)
    }
    const options = { reading, isShared: () => true, merge: () => undefined, clock: () => 10 }
    await openLastWords(texts, 'bb', 'next').store({ ...rows, change }, options)
    expect(parseReplica(await rows.load('s/'), 'tag', reading).rows.size).toBe(0)
  })

  it('mean nothing if somebody has changed them', async () => {
    const texts = fakeStorage({
      'breadbin-bb.left.x': '{',
      'breadbin-bb.left.y': '{"tag":1}',
      'breadbin-bb.left.z': 'null',
      other: '',
    })
    const rows = memoryRows()
    await openLastWords(texts, 'bb', 'page').store(rows, {
      reading,
      isShared: () => true,
      merge: () => undefined,
      clock: () => 1,
    })
    expect([...(await rows.load('s/')).keys()]).toEqual([])
    expect(Object.keys(texts)).toEqual(['other'])
  })
})
