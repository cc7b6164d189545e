// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { bringBack } from '../../../src/client/replica/recovery.ts'
import { parseReplica, readingOf } from '../../../src/client/replica/replica-rows.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { fakePage } from '../../support/pages/fake-page.ts'

const reading = readingOf(fakePage(), defineBins({ note: {} }))
const meta = { v: 1, client: 'durable', last: 7, cursors: { default: 'epoch.5.mark' } }
const text = (data: string) => ({ text: JSON.stringify({ json: data }), version: 1 })
const op = (n: number, data: string) => ({
  n,
  kept: text(data),
  at: n,
  from: { rev: 5 },
  strict: false,
  offered: true,
})
const row = (rest: object) => ({ v: 1, sent: [], ...rest })

describe('rows that are brought back', () => {
  it('keep an edit that waits, on what it was made, under the number of the replica that it joins', async () => {
    const rows = memoryRows([['s/tag/', meta]])
    await bringBack(rows, new Map([['s/tag/note', row({ op: op(3, 'mine') })]]), new Map(), reading)
    const { rows: bins, meta: present } = parseReplica(await rows.load('s/'), 'tag', reading)
    expect(present).toMatchObject({ client: 'durable', last: 8 })
    expect(bins.get('note')?.op).toEqual({ ...op(8, 'mine'), at: 3, offered: false })
  })

  it('lose the edit that was sent meanwhile', async () => {
    const before = new Map([['s/tag/note', row({ op: op(7, 'mine') })]])
    const rows = memoryRows([['s/tag/', meta], ...before])
    await bringBack(rows, new Map([['s/tag/note', row({ known: { rev: 6, expires: 9 } })]]), before, reading)
    const { rows: bins } = parseReplica(await rows.load('s/'), 'tag', reading)
    expect(bins.get('note')?.op).toBeUndefined()
  })

  it('keep the edit that another tab has made since', async () => {
    const before = new Map([['s/tag/note', row({ op: op(7, 'mine') })]])
    const rows = memoryRows([
      ['s/tag/', meta],
      ['s/tag/note', row({ op: op(8, 'theirs') })],
    ])
    await bringBack(rows, new Map(), before, reading)
    const { rows: bins } = parseReplica(await rows.load('s/'), 'tag', reading)
    expect(bins.get('note')?.op?.n).toBe(8)
  })

  it('bring along what the server has said meanwhile', async () => {
    const before = new Map<string, unknown>([
      ['s/tag/', meta],
      ['s/tag/note', row({ known: { rev: 5, kept: text('old'), expires: 9 } })],
    ])
    const rows = memoryRows(before)
    const kept = new Map<string, unknown>([
      ['s/tag/', { ...meta, client: 'degraded', cursors: { default: 'epoch.6.mark' } }],
      ['s/tag/note', row({ known: { rev: 6, kept: text('new'), expires: 9 } })],
    ])
    await bringBack(rows, kept, before, reading)
    const { rows: bins, meta: present } = parseReplica(await rows.load('s/'), 'tag', reading)
    expect(bins.get('note')?.known).toEqual({ rev: 6, kept: text('new'), expires: 9 })
    expect(present).toMatchObject({ client: 'durable', cursors: { default: 'epoch.6.mark' } })
  })

  it('bring along nothing that the server has said, where another tab has heard from it since', async () => {
    const before = new Map<string, unknown>([['s/tag/', meta]])
    const theirs = { ...meta, cursors: { default: 'epoch.7.mark' } }
    const rows = memoryRows([
      ['s/tag/', theirs],
      ['s/tag/note', row({ known: { rev: 7, kept: text('theirs'), expires: 9 } })],
    ])
    const kept = new Map<string, unknown>([
      ['s/tag/', { ...meta, cursors: { default: 'epoch.6.mark' } }],
      ['s/tag/note', row({ known: { rev: 6, kept: text('mine'), expires: 9 } })],
      ['s/tag/other', row({ known: { rev: 6, kept: text('mine'), expires: 9 } })],
    ])
    await bringBack(rows, kept, before, reading)
    const { rows: bins, meta: present } = parseReplica(await rows.load('s/'), 'tag', reading)
    expect(bins.get('note')?.known?.rev).toBe(7)
    expect(bins.get('other')?.known).toBeUndefined()
    expect(present.cursors).toEqual(theirs.cursors)
  })

  it('bring along the edit that was refused meanwhile, and leave alone the one that another tab has told of', async () => {
    const refused = (data: string) => ({ kept: text(data), issues: [{ message: 'no' }] })
    const rows = memoryRows([
      ['s/tag/', meta],
      ['s/tag/other', row({ rejected: refused('theirs') })],
    ])
    const kept = new Map([['s/tag/note', row({ rejected: refused('mine') })]])
    await bringBack(rows, kept, new Map(), reading)
    const { rows: bins } = parseReplica(await rows.load('s/'), 'tag', reading)
    expect(bins.get('note')?.rejected).toEqual(refused('mine'))
    expect(bins.get('other')?.rejected).toEqual(refused('theirs'))
  })

  it('overwrite those of the device that were changed, delete those that were deleted, and no others', async () => {
    const before = new Map([
      ['d/same', { v: 1, text: 'a' }],
      ['d/changed', { v: 1, text: 'a' }],
      ['d/deleted', { v: 1, text: 'a' }],
    ])
    const rows = memoryRows([...before].map(([key]) => [key, { v: 1, text: 'of another tab' }]))
    const kept = new Map([
      ['d/same', { v: 1, text: 'a' }],
      ['d/changed', { v: 1, text: 'b' }],
      ['d/new', { v: 1, text: 'b' }],
    ])
    await bringBack(rows, kept, before, reading)
    expect(await rows.load('d/')).toEqual(
      new Map([
        ['d/same', { v: 1, text: 'of another tab' }],
        ['d/changed', { v: 1, text: 'b' }],
        ['d/new', { v: 1, text: 'b' }],
      ]),
    )
  })
})
