// @vitest-environment node
import { forceCloseDatabase } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import { deviceRows } from '../../../src/client/table/indexeddb.ts'
import type { Rows } from '../../../src/client/table/rows.ts'
import { type Broken, breakIndexedDb, STEPS, watchConnections } from '../../support/pages/broken-indexeddb.ts'

let broken: Broken | undefined
let opened: Rows[] = []
let databases = 0

afterEach(() => {
  broken?.mend()
  for (const rows of opened) rows.close()
  opened = []
})

/** A database of its own, as several tabs open it. */
function setUp({ deadlineMs = 5_000 } = {}) {
  databases += 1
  const name = `breadbin-${databases}`
  return {
    name,
    open() {
      const rows = deviceRows({ name, deadlineMs })
      opened.push(rows)
      return rows
    },
  }
}

const put = (key: string, value: unknown) => () => new Map([[key, value]])

/** What a page does with its rows. */
async function scenario(rows: Rows): Promise<unknown[]> {
  return [
    [...(await rows.load('d/'))],
    [...(await rows.change('d/', put('d/a', 1)))],
    [...(await rows.change('d/', put('d/b', 2)))],
    [...(await rows.change('d/', put('d/a', undefined)))],
    [...(await rows.load('d/'))],
  ]
}

describe('rows in IndexedDB', () => {
  it('are shared by all tabs, below their prefix', async () => {
    const { open } = setUp()
    const [one, two] = [open(), open()]
    await one.change('d/', put('d/a', 1))
    await one.change('s/', put('s/b/', 2))
    expect(await two.load('d/')).toEqual(new Map([['d/a', 1]]))
    expect(await two.load('s/b/')).toEqual(new Map([['s/b/', 2]]))
    expect(await two.load('')).toEqual(
      new Map([
        ['d/a', 1],
        ['s/b/', 2],
      ]),
    )
  })

  it('are changed on what other tabs have made of them, none in between', async () => {
    const { open } = setUp()
    const tabs = [open(), open(), open()]
    const increment = (rows: Rows) =>
      rows.change('d/', (all) => new Map([['d/n', Number(all.get('d/n') ?? 0) + 1]]))
    await Promise.all(Array.from({ length: 30 }, (_, index) => increment(tabs[index % 3] as Rows)))
    expect((await open().load('d/')).get('d/n')).toBe(30)
  })

  it('change nothing where the step throws, and do not take that for a failure of the database', async () => {
    const { open } = setUp()
    const rows = open()
    let runs = 0
    const refusal = new Error('mine')
    const changed = rows.change('d/', () => {
      runs += 1
      throw refusal
    })
    await expect(changed).rejects.toBe(refusal)
    expect(runs).toBe(1)
    expect(await rows.load('')).toEqual(new Map())
  })
})

describe.each(['UnknownError', 'AbortError', 'InvalidStateError', 'QuotaExceededError'])(
  'IndexedDB that fails with %s',
  (name) => {
    const failure = new DOMException('mine', name)

    it.each(STEPS)('at "%s", once, is opened anew, and loses nothing', async (step) => {
      const expected = await scenario(setUp().open())
      for (let before = 0; before < 3; before += 1) {
        const rows = setUp().open()
        const seen: unknown[] = []
        for (let turn = 0; turn < before; turn += 1) seen.push(await rows.load('d/'))
        broken = breakIndexedDb(step, failure, 1)
        expect(await scenario(rows)).toEqual(expected)
        // Whoever has a connection opens no other one.
        expect(broken.failures).toBe(step === 'open' && before > 0 ? 0 : 1)
        broken.mend()
      }
    })

    it('in the middle of a transaction has stored nothing of it', async () => {
      const { open } = setUp()
      const rows = open()
      broken = breakIndexedDb('commit', failure)
      const two = new Map([
        ['d/a', 1],
        ['d/b', 2],
      ])
      await expect(rows.change('d/', () => two)).rejects.toBe(failure)
      broken.mend()
      const { put: write } = IDBObjectStore.prototype
      const undo = breakIndexedDb('write', failure)
      const failSecond = IDBObjectStore.prototype.put
      IDBObjectStore.prototype.put = function (value, key) {
        return (key === 'd/b' ? failSecond : write).call(this, value, key)
      }
      await expect(rows.change('d/', () => two)).rejects.toBe(failure)
      undo.mend()
      expect(await open().load('')).toEqual(new Map())
    })

    it.each(STEPS)('at "%s", always, is tried twice, and says why', async (step) => {
      const { open } = setUp()
      const rows = open()
      broken = breakIndexedDb(step, failure)
      await expect(rows.change('d/', put('d/a', 1))).rejects.toBe(failure)
      expect(broken.failures).toBe(2)
      broken.mend()
      expect(await open().load('')).toEqual(new Map())
    })
  },
)

describe('IndexedDB that hangs', () => {
  it('is given up after its deadline, once: another connection would hang as well', async () => {
    const { open, name } = setUp()
    await open().change('d/', put('d/a', 1))
    const blocker = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name)
      request.onsuccess = () => resolve(request.result)
    })
    let isOver = false
    const table = blocker.transaction('rows', 'readwrite').objectStore('rows')
    const keepBusy = () => {
      if (!isOver) table.get('nothing').onsuccess = keepBusy
    }
    keepBusy()
    const { open: connections, end } = watchConnections()
    const rows = deviceRows({ name, deadlineMs: 20 })
    await expect(rows.change('d/', put('d/a', 2))).rejects.toThrow('did not answer within 20 ms')
    expect(connections.size).toBe(1)
    end()
    isOver = true
    rows.close()
    blocker.close()
    // What came too late is not stored behind the caller's back.
    expect(await open().load('')).toEqual(new Map([['d/a', 1]]))
  })
})

describe('a connection to IndexedDB', () => {
  it('is one for all transactions of a tab, and let go of when that closes', async () => {
    const { open: connections, end } = watchConnections()
    const rows = setUp().open()
    await Promise.all([rows.load(''), rows.change('d/', put('d/a', 1)), rows.load('d/')])
    expect(connections.size).toBe(1)
    rows.close()
    await Promise.resolve()
    expect(connections.size).toBe(0)
    end()
  })

  it('is not left open where several transactions find at a time that it is lost', async () => {
    const { open: connections, end } = watchConnections()
    const rows = setUp().open()
    await rows.load('')
    broken = breakIndexedDb('transaction', new DOMException('lost', 'UnknownError'), 3)
    await Promise.all([rows.load(''), rows.change('d/', put('d/a', 1)), rows.change('d/', put('d/b', 2))])
    expect(await rows.load('')).toEqual(
      new Map([
        ['d/a', 1],
        ['d/b', 2],
      ]),
    )
    expect(connections.size).toBe(1)
    end()
  })

  it('is opened anew when the browser has closed it', async () => {
    const { open: connections, end } = watchConnections()
    const rows = setUp().open()
    await rows.change('d/', put('d/a', 1))
    // The library's types say that it takes the class.
    for (const database of connections) forceCloseDatabase(database as unknown as typeof IDBDatabase)
    expect(await rows.load('')).toEqual(new Map([['d/a', 1]]))
    end()
  })

  it('keeps nobody from deleting the database', async () => {
    const { open, name } = setUp()
    await open().change('d/', put('d/a', 1))
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name)
      request.onsuccess = () => resolve()
      request.onblocked = () => reject(new Error('blocked'))
    })
    expect(await open().load('')).toEqual(new Map())
  })
})
