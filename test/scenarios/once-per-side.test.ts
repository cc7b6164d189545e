import { afterEach, describe, expect, it, vi } from 'vitest'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { openClock, openTimers } from '../support/clock.ts'
import { openProfile } from '../support/pages/page.ts'
import { fetchWith } from '../support/sites/http.ts'

/** Is in all data of these tests: JSON that has it is the text of a bin, or has one in it. */
const MARK = 'breadbin-was-here'

/** What one side has done with data. */
interface Work {
  /** Times that JSON was made of them: by the codec, or on the way. */
  stringified: number
  /** Times that JSON of them was parsed. */
  parsed: number
  /** Times that the schema was asked about them. */
  validated: number
}

const ONCE_ON_A_PAGE: Work = { stringified: 1, parsed: 0, validated: 1 }

/** To encode once more what was decoded is what shows that nobody else has written it. */
const ONCE_ON_A_SERVER: Work = { stringified: 1, parsed: 1, validated: 1 }

/** A page and its server, with definitions of their own as in two processes, and what each does with data. */
function setUp(transform: (data: object) => object) {
  const work = { page: nothing(), server: nothing() }
  let side: keyof typeof work = 'page'
  const { stringify, parse } = JSON
  vi.spyOn(JSON, 'stringify').mockImplementation((...parameters: Parameters<typeof stringify>) => {
    const text = stringify(...parameters)
    if (text?.includes(MARK)) work[side].stringified += 1
    return text
  })
  vi.spyOn(JSON, 'parse').mockImplementation((...parameters: Parameters<typeof parse>) => {
    if (parameters[0].includes(MARK)) work[side].parsed += 1
    return parse(...parameters)
  })
  const define = (own: keyof typeof work) => {
    const validate = (data: unknown) => {
      if (typeof data !== 'object' || data === null) return { issues: [{ message: 'no object' }] }
      work[own].validated += 1
      return { value: transform(data) }
    }
    return defineBins({
      note: { schema: { '~standard': { version: 1, vendor: 'test', validate } }, browser: 'write' },
    })
  }
  const store = memoryStore()
  const clock = openClock()
  const server = serveBins(define('server'), { store, clock })
  const profile = openProfile()
  const fetch = fetchWith(profile.jar, async (request) => {
    side = 'server'
    const response = await server.fetch(request)
    side = 'page'
    return response
  })
  const open = () => profile.open(define('page'), { clock, timer: openTimers().start, fetch })
  const rows = async () => (await store.scan?.(undefined, 5))?.entries.map(([, { text }]) => text).join()
  return { open, work, rows }
}

function nothing(): Work {
  return { stringified: 0, parsed: 0, validated: 0 }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('what a page sets', () => {
  it.each<[string, object]>([
    ['JSON', { text: MARK, list: [1, { deep: true }] }],
    ['data beyond JSON', { text: MARK, at: new Date(0), tags: new Set(['a', 1n]), map: new Map([[1, {}]]) }],
  ])('is encoded and validated once on each side, until it is in the row: %s', async (_, data) => {
    const { open, work, rows } = setUp((found) => ({ ...found }))
    const page = await open()
    const heard: unknown[] = []
    page.subscribe('note', (note) => heard.push(note))
    page.set('note', data)
    await page.save()
    expect([page.get('note'), heard]).toEqual([data, [undefined, data]])
    expect(work).toEqual({ page: ONCE_ON_A_PAGE, server: nothing() })
    expect(await page.sync()).toMatchObject({ accepted: ['note'] })
    expect(page.get('note')).toBe(heard[1])
    expect(await rows()).toContain(MARK)
    expect(work).toEqual({ page: ONCE_ON_A_PAGE, server: ONCE_ON_A_SERVER })
  })

  it('is validated twice where the schema changes it, and once more where that is all that it changes', async () => {
    const { open, work } = setUp((found) => ({ ...found, isTransformed: true }))
    const page = await open()
    page.set('note', { text: MARK })
    expect(page.get('note')).toEqual({ text: MARK, isTransformed: true })
    await page.sync()
    expect([work.page.validated, work.server]).toEqual([2, ONCE_ON_A_SERVER])
  })

  it('is shared with nobody, and frozen', async () => {
    const { open } = setUp((found) => found)
    const page = await open()
    const data = { text: MARK, list: [{ a: 1 }] }
    page.set('note', data)
    data.list[0] = { a: 2 }
    const shown = page.get('note') as typeof data
    expect(shown.list).toEqual([{ a: 1 }])
    expect([shown, shown.list, shown.list[0]].map(Object.isFrozen)).toEqual([true, true, true])
    expect([data, data.list].map(Object.isFrozen)).toEqual([false, false])
  })
})
