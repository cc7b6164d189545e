// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { copyForPage } from '../../../src/client/replica/replica-rows.ts'
import { type FallbackRows, withFallback } from '../../../src/client/table/fallback.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import type { Rows } from '../../../src/client/table/rows.ts'

/** A table whose n-th call fails: before it does anything, or after. */
function faultyRows(
  rows: Rows,
  failOn: number,
  lost: 'request' | 'answer' = 'request',
): Rows & { isClosed: boolean } {
  let calls = 0
  async function call<Result>(work: () => Promise<Result>): Promise<Result> {
    calls += 1
    if (calls >= failOn && lost === 'request') throw new Error('blocked')
    const result = await work()
    if (calls >= failOn) throw new Error('full')
    return result
  }
  return {
    isClosed: false,
    load: (prefix) => call(() => rows.load(prefix)),
    change: (prefix, step) => call(() => rows.change(prefix, step)),
    close() {
      this.isClosed = true
    },
  }
}

/** IndexedDB that may fail, and memory behind it. */
function openRows(table: Rows, onChange: (cause?: unknown) => void = () => {}): FallbackRows {
  return withFallback(
    [
      { kind: 'indexeddb', rows: table },
      { kind: 'memory', rows: memoryRows() },
    ],
    { copy: (all) => copyForPage(all, { ownPages: new Set(), newId: () => 'another' }), onChange },
  )
}

const put = (key: string, value: unknown) => () => new Map([[key, value]])

/** What a page does with its rows. */
async function scenario(rows: Rows): Promise<unknown[]> {
  const seen: unknown[] = []
  seen.push([...(await rows.load('d/'))])
  seen.push([...(await rows.change('d/', put('d/a', 1)))])
  seen.push([...(await rows.change('d/', put('d/b', 2)))])
  seen.push([...(await rows.change('d/', put('d/a', undefined)))])
  seen.push([...(await rows.load('d/'))])
  return seen
}

describe('rows with a fall-back', () => {
  it('take along what is still being stored when another call fails', async () => {
    const table = memoryRows()
    let goOn = () => {}
    const slow = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const rows = openRows({
      load: () => Promise.reject(new Error('blocked')),
      async change(prefix, step) {
        await slow
        return table.change(prefix, step)
      },
      close() {},
    })
    const stored = rows.change('d/', put('d/a', 1))
    const read = rows.load('d/')
    goOn()
    await stored
    expect([...(await read)]).toEqual([['d/a', 1]])
    expect(rows.place.kind).toBe('memory')
  })

  it('lose nothing that was read or written, whichever call fails', async () => {
    const expected = await scenario(memoryRows([['d/old', 0]]))
    for (const lost of ['request', 'answer'] as const) {
      for (let failOn = 2; failOn <= 5; failOn += 1) {
        const failures: unknown[] = []
        const table = faultyRows(memoryRows([['d/old', 0]]), failOn, lost)
        const rows = openRows(table, (cause) => failures.push(cause))
        expect(await scenario(rows), `call ${failOn}`).toEqual(expected)
        expect(failures).toHaveLength(1)
        expect(table.isClosed).toBe(true)
      }
    }
  })

  it('begin empty where nothing can be read at all', async () => {
    const failures: unknown[] = []
    const rows = openRows(faultyRows(memoryRows([['d/old', 0]]), 1), (cause) => failures.push(cause))
    expect([...(await rows.load('d/'))]).toEqual([])
    expect(failures).toEqual([new Error('blocked')])
  })

  it('stay in memory once a call has failed', async () => {
    const inner = memoryRows()
    const rows = openRows(faultyRows(inner, 2))
    await rows.change('d/', put('d/a', 1))
    await rows.change('d/', put('d/b', 2))
    await rows.change('d/', put('d/c', 3))
    expect([...(await inner.load(''))]).toEqual([['d/a', 1]])
    expect([...(await rows.load('d/')).keys()]).toEqual(['d/a', 'd/b', 'd/c'])
  })

  it('tell once that two calls at a time have failed', async () => {
    const failures: unknown[] = []
    const rows = openRows(faultyRows(memoryRows(), 1), (cause) => failures.push(cause))
    await Promise.all([rows.change('d/', put('d/a', 1)), rows.change('d/', put('d/b', 2))])
    expect(failures).toHaveLength(1)
    expect([...(await rows.load('d/')).keys()].sort()).toEqual(['d/a', 'd/b'])
  })

  it('do not go on under the same client id: the op numbers are not durable any more', async () => {
    const rows = openRows(faultyRows(memoryRows(), 2))
    const meta = { v: 1, client: 'durable' }
    await rows.change(
      's/',
      () =>
        new Map<string, unknown>([
          ['s/tag/', meta],
          ['s/tag/bin', { v: 1 }],
        ]),
    )
    expect((await rows.load('s/')).get('s/tag/')).toEqual({ ...meta, client: 'another' })
  })
})

describe('rows that come back', () => {
  const bringAll = async (first: Rows, kept: Map<string, unknown>) => {
    await first.change('', () => kept)
  }

  /** A table that fails while it is told to. */
  function failingRows(inner: Rows): Rows & { isBroken: boolean } {
    const check = () => {
      if (table.isBroken) throw new Error('broken')
    }
    const table = {
      isBroken: false,
      async load(prefix: string) {
        check()
        return inner.load(prefix)
      },
      async change(...call: Parameters<Rows['change']>) {
        check()
        return inner.change(...call)
      },
      close() {},
    }
    return table
  }

  it('are where they belong, with what was written meanwhile', async () => {
    const inner = memoryRows([['d/old', 0]])
    const table = failingRows(inner)
    const rows = openRows(table)
    await rows.load('d/')
    table.isBroken = true
    await rows.change('d/', put('d/new', 1))
    expect(rows.place).toEqual({ kind: 'memory', cause: new Error('broken') })
    await rows.recover(bringAll)
    expect(rows.place.kind).toBe('memory')
    table.isBroken = false
    await rows.recover(bringAll)
    expect(rows.place).toEqual({ kind: 'indexeddb' })
    expect([...(await inner.load('d/'))]).toEqual([
      ['d/old', 0],
      ['d/new', 1],
    ])
  })

  it('are told as they were when their place failed, whatever was written since', async () => {
    const table = failingRows(memoryRows([['d/a', 'before']]))
    const rows = openRows(table)
    await rows.load('d/')
    table.isBroken = true
    await rows.change('d/', put('d/a', 'since'))
    table.isBroken = false
    let told: unknown
    await rows.recover(async (_, kept, before) => {
      told = [[...kept], [...before]]
    })
    expect(told).toEqual([[['d/a', 'since']], [['d/a', 'before']]])
  })

  it('take along what is written while they move', async () => {
    const inner = memoryRows()
    const table = failingRows(inner)
    const rows = openRows(table)
    table.isBroken = true
    await rows.change('d/', put('d/a', 1))
    table.isBroken = false
    const moving = rows.recover(bringAll)
    await Promise.all([moving, rows.change('d/', put('d/b', 2))])
    expect([...(await inner.load('d/')).keys()]).toEqual(['d/a', 'd/b'])
  })

  it('go from place to place until one works', async () => {
    const changes: unknown[] = []
    const broken = failingRows(memoryRows())
    broken.isBroken = true
    const full = failingRows(memoryRows())
    full.isBroken = true
    const rows = withFallback(
      [
        { kind: 'indexeddb', rows: broken },
        { kind: 'localstorage', rows: full },
        { kind: 'memory', rows: memoryRows() },
      ],
      { copy: (all) => new Map(all), onChange: (cause) => changes.push(cause) },
    )
    expect([...(await rows.change('d/', put('d/a', 1)))]).toEqual([['d/a', 1]])
    expect(rows.place.kind).toBe('memory')
    expect(changes).toHaveLength(1)
  })
})
