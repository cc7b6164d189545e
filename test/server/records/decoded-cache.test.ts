import { describe, expect, it } from 'vitest'
import { encode } from '../../../src/core/codec/codec.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { Definitions } from '../../../src/core/definition/definition.ts'
import { openReadings } from '../../../src/server/records/decoded-cache.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { openCookieJar, requestWith, take } from '../../support/sites/http.ts'
import { SECRETS } from '../../support/sites/requests.ts'
import { NOW } from '../../support/stores/open-store.ts'

/** A schema of anything, which counts how often it was asked. */
function counting(answer: (data: unknown) => { value: unknown } | { issues: [] } = (value) => ({ value })) {
  const schema = {
    asked: 0,
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate(data: unknown) {
        schema.asked += 1
        return answer(data)
      },
    },
  }
  return schema
}

function open(bins: Definitions) {
  const readings = openReadings()
  return {
    readings,
    read: (name: string, data: unknown, { version = 1, trusted = true } = {}) =>
      readings.read(bins.find(name), { text: encode(data), version, trusted }),
  }
}

describe('readings', () => {
  it('are remembered by their text', () => {
    const schema = counting()
    const { read } = open(defineBins({ bin: { schema } }))
    const first = read('bin', { a: 1 })
    expect(first).toEqual({ data: { a: 1 } })
    expect(read('bin', { a: 1 })).toBe(first)
    expect(schema.asked).toBe(1)
    expect(read('bin', { a: 2 })).toEqual({ data: { a: 2 } })
  })

  it('are those of one bin, one version and one degree of trust', () => {
    const schema = counting()
    const migrate = (data: unknown, version: number) => [data, version]
    const { read } = open(defineBins({ a: { schema, version: 3, migrate }, b: { schema } }))
    expect(read('a', 'x', { version: 3 })).toEqual({ data: 'x' })
    expect(read('a', 'x', { version: 2 })).toEqual({ data: ['x', 2] })
    expect(read('a', 'x', { version: 1 })).toEqual({ data: ['x', 1] })
    expect(read('b', 'x')).toEqual({ data: 'x' })
    expect(read('b', 'x', { version: 2 })).toEqual({ problem: 'outdated' })
    expect(read('b', 'x', { trusted: false })).toEqual({ data: 'x' })
    expect(schema.asked).toBe(5)
  })

  it('of what only we can have written are not those of what anybody can', () => {
    const { readings } = open({} as Definitions)
    const definition = defineBins({ bin: {} }).find('bin')
    // The space is none of ours.
    const kept = { text: '{"json": 1}', version: 1 }
    expect(readings.read(definition, { ...kept, trusted: true })).toEqual({ data: 1 })
    expect(readings.read(definition, { ...kept, trusted: false })).toEqual({ problem: 'unreadable' })
  })

  it('are not remembered where there is no data', () => {
    const refusing = counting(() => ({ issues: [] }))
    const failing = counting(() => {
      throw new Error('the database is down')
    })
    const { read } = open(defineBins({ refusing: { schema: refusing }, failing: { schema: failing } }))
    for (const count of [1, 2]) {
      expect(read('refusing', 1)).toEqual({ problem: 'invalid' })
      expect(read('failing', 1)).toMatchObject({ problem: 'invalid' })
      expect([refusing.asked, failing.asked]).toEqual([count, count])
    }
  })

  it('share no Date, Map, Set or URL: a frozen one can still be changed on purpose', () => {
    const { read } = open(defineBins({ bin: {} }))
    const first = read('bin', { at: new Date(0) })
    const second = read('bin', { at: new Date(0) })
    expect(second).toEqual(first)
    expect(second).not.toBe(first)
  })

  it('of a text that was made just now are there without asking the schema', () => {
    const schema = counting()
    const bins = defineBins({
      plain: { schema, storage: 'cookie' },
      signed: { schema, storage: 'cookie', browser: 'read' },
      server: { schema },
    })
    const { readings, read } = open(bins)
    for (const [name, trusted] of [
      ['plain', false],
      ['signed', true],
      ['server', true],
    ] as const) {
      readings.expect(bins.find(name), { text: encode(['x']), data: ['x'] })
      const reading = read(name, ['x'], { trusted })
      expect(reading).toEqual({ data: ['x'] })
      expect(Object.isFrozen('data' in reading && reading.data)).toBe(true)
    }
    expect(schema.asked).toBe(0)
  })

  it.each([{ storage: 'cookie' }, { storage: 'cookie', browser: 'read' }, { storage: 'server' }] as const)(
    'take a schema one look for a set, and none for a get behind it: %o',
    async (options) => {
      const schema = counting()
      const bins = defineBins({ bin: { schema, ...options } })
      const jar = openCookieJar(() => NOW)
      const store = memoryStore()
      for (const data of ['first', 'second']) {
        const site = serveBins(bins, { store, secrets: SECRETS, clock: () => NOW })
        const state = await site.open(requestWith(jar), ['bin'])
        schema.asked = 0
        state.set('bin', data)
        expect(state.get('bin')).toBe(data)
        expect(schema.asked).toBe(1)
        take(jar, await state.save(new Response()))
      }
    },
  )
})
