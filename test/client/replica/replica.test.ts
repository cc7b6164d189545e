// @vitest-environment node
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { type ClientReplica, openReplica, type ReplicaOptions } from '../../../src/client/replica/replica.ts'
import { readingOf } from '../../../src/client/replica/replica-rows.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import type { Rows } from '../../../src/client/table/rows.ts'
import { encode } from '../../../src/core/codec/codec.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { Definitions } from '../../../src/core/definition/definition.ts'
import type { AnswerPart } from '../../../src/core/sync/wire.ts'
import { MINUTE, openClock } from '../../support/clock.ts'
import { fakePage } from '../../support/pages/fake-page.ts'
import { fakeStorage } from '../../support/pages/fake-storage.ts'
import { codedJson } from '../../support/wire.ts'

const schema = z.string()

const bins = defineBins({
  note: { schema, browser: 'write' },
  other: { schema, browser: 'write' },
  visit: { schema, browser: 'write', maxAge: 'session' },
})

const LIMITS = { maxOps: 64, maxBytes: 100_000 }

/** A device's rows, and the replicas that its tabs and page loads open on them. */
function setUp() {
  const clock = openClock()
  const device = { session: 'first' as string | undefined }
  const page = fakePage()
  const { cookies, newId } = page
  const rows = memoryRows()
  let before = async () => {}
  const slowRows: Rows = {
    ...rows,
    async change(prefix, step) {
      await before()
      return rows.change(prefix, step)
    },
  }

  const open = (tag = 'tag', definitions: Definitions = bins, more: Partial<ReplicaOptions> = {}) => {
    const own = { ...page, clock, newId, cookies: { ...cookies, session: () => device.session } }
    return openReplica({
      definitions,
      reading: readingOf(own, definitions),
      rows: slowRows,
      tag,
      page: own,
      onChange: () => {},
      ...more,
    })
  }

  /** Makes something happen while the next transaction is about to begin. */
  function beforeNextChange(happen: () => void): void {
    before = async () => {
      before = async () => {}
      happen()
    }
  }

  function write(
    replica: ClientReplica,
    bin: 'note' | 'other' | 'visit',
    data: string | null,
  ): Promise<void> {
    const kept = data === null ? undefined : { text: encode(data), version: 1 }
    return replica.edit({ definition: bins.find(bin), compute: () => kept, strict: false, at: clock() })
  }

  return { clock, device, rows, open, write, beforeNextChange }
}

function read(replica: ClientReplica, bin: 'note' | 'other' | 'visit'): unknown {
  const kept = replica.find(bins.find(bin))
  return kept && JSON.parse(kept.text).json
}

function answer(changes: AnswerPart['changes'], results: AnswerPart['results'] = []): AnswerPart {
  return { store: 'default', tag: 'tag', cursor: 'epoch.100.mark', results, changes, reset: true }
}

const theirs = (bin: string, data: string) => ({ bin, rev: 100, sv: 1, text: codedJson(data), ttl: MINUTE })

describe('the replica of a page', () => {
  it('is there again after a reload, with its edits', async () => {
    const { open, write } = setUp()
    const first = await open()
    await write(first, 'note', 'text')
    const second = await open()
    expect(read(second, 'note')).toBe('text')
    expect(second.pending().count).toBe(1)
    const [one, two] = [await first.offer(LIMITS), await second.offer(LIMITS)]
    expect(one.client).toBe(two.client)
    expect(one.ops.get('default')).toEqual(two.ops.get('default'))
  })

  it('is shared by tabs, which give no number twice', async () => {
    const { open, write } = setUp()
    const [one, two] = [await open(), await open()]
    await Promise.all([write(one, 'note', 'of one'), write(two, 'other', 'of two')])
    await one.reload()
    expect([read(one, 'note'), read(one, 'other')]).toEqual(['of one', 'of two'])
    const ops = (await one.offer(LIMITS)).ops.get('default') ?? []
    expect(new Set(ops.map(({ n }) => n)).size).toBe(2)
  })

  it('notes that an edit may have been sent before it is', async () => {
    const { open, write, rows } = setUp()
    const replica = await open()
    await write(replica, 'note', 'text')
    await replica.offer(LIMITS)
    expect(await rows.load('s/tag/note')).toEqual(
      new Map([['s/tag/note', expect.objectContaining({ op: expect.objectContaining({ offered: true }) })]]),
    )
  })

  it('keeps the replicas of owners apart', async () => {
    const { open, write } = setUp()
    const one = await open('one')
    await one.absorb(answer([]), await one.offer(LIMITS))
    await write(one, 'note', 'of one')
    const two = await open('two')
    await two.absorb(answer([]), await two.offer(LIMITS))
    expect(read(two, 'note')).toBeUndefined()
    await two.switchTo('one')
    expect(read(two, 'note')).toBe('of one')
    expect((await two.offer(LIMITS)).tag).toBe('one')
  })

  it('takes edits along to a visitor that the server has just made', async () => {
    const { open, write, rows } = setUp()
    const replica = await open('')
    await write(replica, 'note', 'text')
    await replica.switchTo('tag')
    expect([replica.tag, read(replica, 'note'), replica.pending().count]).toEqual(['tag', 'text', 1])
    expect(await rows.load('s/new/')).toEqual(new Map())
  })

  it('takes edits along from a visitor that another one has replaced before there was an answer', async () => {
    const { open, write } = setUp()
    const replica = await open('')
    await write(replica, 'note', 'text')
    await replica.switchTo('first')
    await replica.switchTo('tag')
    expect([read(replica, 'note'), replica.pending().count]).toEqual(['text', 1])
  })

  it('leaves the edits of a visitor behind that the server has answered', async () => {
    const { open, write } = setUp()
    const replica = await open()
    await replica.absorb(answer([]), await replica.offer(LIMITS))
    await write(replica, 'note', 'text')
    await replica.switchTo('other')
    expect([read(replica, 'note'), replica.pending().count]).toEqual([undefined, 0])
    await replica.switchTo('tag')
    expect([read(replica, 'note'), replica.pending().count]).toEqual(['text', 1])
  })

  it('takes edits along that an earlier page made when there was no visitor', async () => {
    const { open, write, rows } = setUp()
    await write(await open(''), 'note', 'text')
    const later = await open('tag')
    expect([read(later, 'note'), later.pending().count]).toEqual(['text', 1])
    expect(await rows.load('s/new/')).toEqual(new Map())
  })

  it('edits for nobody no more once the cookies speak of somebody, whom another page may follow already', async () => {
    const { open, write, rows } = setUp()
    let present = ''
    const [slow, quick] = [await open('', bins, { presentTag: () => present }), await open('')]
    await write(slow, 'note', 'for nobody')
    present = 'tag'
    await quick.switchTo('tag')
    await write(slow, 'other', 'for somebody')
    expect(slow.tag).toBe('tag')
    expect([...(await slow.offer(LIMITS)).ops.values()].flat()).toMatchObject([
      { bin: 'note' },
      { bin: 'other' },
    ])
    expect((await rows.load('s/new/')).size).toBe(0)
  })

  it('sends with its last words what was stored, as the owner that it was stored for', async () => {
    const { open, write, beforeNextChange } = setUp()
    let present = ''
    const page = { ...fakePage(), texts: fakeStorage() }
    const replica = await open('', bins, { presentTag: () => present, page })
    await write(replica, 'note', 'for nobody')
    present = 'tag'
    let left: ReturnType<ClientReplica['lastOffer']>
    beforeNextChange(() => {
      left = replica.lastOffer(LIMITS)
    })
    await write(replica, 'other', 'for somebody')
    expect(left).toMatchObject({ tag: '' })
    expect(replica.lastOffer(LIMITS)).toMatchObject({ tag: 'tag' })
  })

  it('keeps the later of two edits of a bin that come together', async () => {
    const { open, write, clock } = setUp()
    const known = await open('tag')
    const unknown = await open('')
    await write(known, 'note', 'earlier')
    await write(unknown, 'other', 'earlier')
    clock.advance(MINUTE)
    await write(unknown, 'note', 'later')
    await write(known, 'other', 'later')
    await unknown.switchTo('tag')
    expect([read(unknown, 'note'), read(unknown, 'other')]).toEqual(['later', 'later'])
  })

  it('loses no edit that is made while it becomes the replica of another owner', async () => {
    const { open, write, beforeNextChange } = setUp()
    const replica = await open('')
    await write(replica, 'note', 'before')
    const edits: Array<Promise<void>> = []
    beforeNextChange(() => edits.push(write(replica, 'other', 'meanwhile')))
    await replica.switchTo('tag')
    await Promise.all(edits)
    expect([read(replica, 'note'), read(replica, 'other')]).toEqual(['before', 'meanwhile'])
    const reloaded = await open('tag')
    expect([read(reloaded, 'note'), read(reloaded, 'other')]).toEqual(['before', 'meanwhile'])
  })

  it('forgets everything at once when it is cleared, but for what is written later', async () => {
    const { open, write, rows } = setUp()
    const replica = await open()
    await replica.absorb(answer([theirs('note', 'theirs')]), await replica.offer(LIMITS))
    await write(replica, 'other', 'mine')
    const cleared = replica.clear()
    expect([read(replica, 'note'), read(replica, 'other'), replica.names()]).toEqual([
      undefined,
      undefined,
      [],
    ])
    const written = write(replica, 'note', 'later')
    await Promise.all([cleared, written])
    await replica.leave(Number.NEGATIVE_INFINITY)
    expect([replica.tag, read(replica, 'note'), read(replica, 'other')]).toEqual(['', 'later', undefined])
    expect([...(await rows.load('s/tag/'))]).toEqual([])
  })

  it('leaves an owner with the edits that are newer than its end', async () => {
    const { open, write, clock } = setUp()
    const replica = await open()
    await replica.absorb(answer([theirs('note', 'theirs')]), await replica.offer(LIMITS))
    await write(replica, 'note', 'older')
    clock.advance(MINUTE)
    await write(replica, 'other', 'newer')
    await replica.leave(clock() - MINUTE)
    expect([replica.tag, read(replica, 'note'), read(replica, 'other')]).toEqual(['', undefined, 'newer'])
    expect((await replica.offer(LIMITS)).ops.get('default')).toMatchObject([{ bin: 'other', base: null }])
  })

  it('takes no answer that was for another owner', async () => {
    const { open } = setUp()
    const replica = await open('one')
    const offered = await replica.offer(LIMITS)
    await replica.switchTo('two')
    await replica.absorb(answer([theirs('note', 'of one')]), offered)
    expect(read(replica, 'note')).toBeUndefined()
    expect(replica.isPulled(bins.find('note'))).toBe(false)
    await replica.switchTo('one')
    expect(read(replica, 'note')).toBeUndefined()
  })

  it('forgets bins of an earlier browser session', async () => {
    const { open, write, device } = setUp()
    const first = await open()
    await write(first, 'visit', 'first')
    await write(first, 'note', 'stays')
    expect(read(await open(), 'visit')).toBe('first')
    device.session = 'second'
    const second = await open()
    expect([read(second, 'visit'), read(second, 'note')]).toEqual([undefined, 'stays'])
    await write(second, 'visit', 'second')
    expect(read(await open(), 'visit')).toBe('second')
  })

  it('hides what has expired', async () => {
    const { open, clock } = setUp()
    const replica = await open()
    await replica.absorb(answer([theirs('note', 'theirs')]), await replica.offer(LIMITS))
    clock.advance(MINUTE - 1)
    expect(read(replica, 'note')).toBe('theirs')
    clock.advance(1)
    expect(read(replica, 'note')).toBeUndefined()
  })

  it('leaves rows of another version of the code alone', async () => {
    const { open, write, rows } = setUp()
    await rows.change('s/', () => new Map([['s/tag/other', { v: 2, shape: 'unknown' }]]))
    const replica = await open()
    expect(read(replica, 'other')).toBeUndefined()
    await write(replica, 'note', 'text')
    await replica.leave(Number.NEGATIVE_INFINITY)
    expect(await rows.load('s/tag/')).toEqual(new Map([['s/tag/other', { v: 2, shape: 'unknown' }]]))
  })

  it('sends no edit of a bin that this version of the program does not know, and counts none', async () => {
    const { open, write } = setUp()
    const former = await open()
    await write(former, 'note', 'text')
    await write(former, 'other', 'text')
    const later = await open(
      'tag',
      defineBins({ note: { schema, browser: 'write' }, other: { storage: 'cookie' } }),
    )
    expect((await later.offer(LIMITS)).ops.get('default')).toMatchObject([{ bin: 'note' }])
    expect(later.pending().count).toBe(1)
    expect((await former.offer(LIMITS)).ops.get('default')).toHaveLength(2)
  })

  it('takes in a snapshot as all there is, edits that wait excepted', async () => {
    const { open, write } = setUp()
    const replica = await open()
    await replica.absorb(answer([theirs('note', 'one'), theirs('other', 'two')]), await replica.offer(LIMITS))
    await write(replica, 'other', 'mine')
    await replica.absorb(answer([]), await replica.offer(LIMITS))
    expect([read(replica, 'note'), read(replica, 'other')]).toEqual([undefined, 'mine'])
  })
})

describe('the replica of a page that goes away', () => {
  const page = fakePage({ texts: fakeStorage() })
  const open = (rows: Rows) =>
    openReplica({
      definitions: bins,
      reading: readingOf(page, bins),
      rows,
      tag: 'tag',
      page,
      onChange: () => {},
    })

  it('leaves an edit that could not be stored to a page beside it', async () => {
    const rows = memoryRows()
    const beside = await open(rows)
    const gone = await open({ ...rows, change: () => new Promise(() => {}) })
    const compute = () => ({ text: encode('mine'), version: 1 })
    void gone.edit({ definition: bins.find('note'), compute, strict: false, at: 5 })
    gone.lastOffer(LIMITS)
    await beside.reload()
    expect(read(beside, 'note')).toBe('mine')
    expect(page.texts?.length).toBe(0)
  })

  it('begins no transaction where there is nothing to write down', async () => {
    let changes = 0
    const rows = memoryRows()
    const replica = await open({
      ...rows,
      change(prefix, step) {
        changes += 1
        return rows.change(prefix, step)
      },
    })
    expect(replica.lastOffer(LIMITS)).toBeUndefined()
    await replica.flush()
    expect(changes).toBe(0)
  })
})
