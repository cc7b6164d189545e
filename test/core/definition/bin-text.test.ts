import { describe, expect, it, vi } from 'vitest'
import * as z from 'zod/mini'
import { encode } from '../../../src/core/codec/codec.ts'
import { freeze } from '../../../src/core/codec/freeze.ts'
import {
  fallback,
  fromTrusted,
  fromUntrusted,
  toOwn,
  toOwnText,
  toText,
} from '../../../src/core/definition/bin-text.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinOptions, Definition } from '../../../src/core/definition/definition.ts'
import type { BinsError } from '../../../src/core/error.ts'

/** A definition whose types are of no interest. */
function define(options: unknown): Definition {
  return defineBins({ bin: options as BinOptions }).find('bin')
}

function failure(run: () => unknown): BinsError {
  try {
    run()
  } catch (error) {
    // What else it may be shows in the test.
    return error as BinsError
  }
  throw new Error('nothing was thrown')
}

const COUNT = define({ schema: z.object({ count: z.number() }) })
const TRIMMED = define({
  schema: z.pipe(
    z.string(),
    z.transform((text: string) => text.trim()),
  ),
})

/** A definition whose schema does this to data, and how often it was asked. */
function counting(change: (data: unknown) => unknown, options: object = {}) {
  const calls = { count: 0 }
  const validate = (data: unknown) => {
    calls.count += 1
    return { value: change(data) }
  }
  const schema = { '~standard': { version: 1, vendor: 'test', validate } }
  return { calls, definition: define({ schema, ...options }) }
}

/** Data of all kinds, which none of these tests share. */
const rich = () => ({
  list: [1, { deep: null }],
  at: new Date(0),
  map: new Map([['a', new Set([1n])]]),
  link: new URL('http://a/'),
  none: undefined,
  odd: [Number.NaN, -0],
})

const BROKEN = define({
  schema: {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate() {
        throw new Error('the schema is broken')
      },
    },
  },
})

describe('toText', () => {
  it('encodes what the schema makes of the data', () => {
    expect(toText(define({}), { a: new Date(0) })).toBe(encode({ a: new Date(0) }))
    expect(toText(TRIMMED, '  hello ')).toBe(encode('hello'))
  })

  it.each([0, '', false, null, [], {}, Number.NaN])('takes %j for data', (data) => {
    expect(toText(define({}), data)).toBe(encode(data))
  })

  it('refuses undefined as a mistake', () => {
    expect(() => toText(COUNT, undefined)).toThrow(
      new TypeError('Bin "bin": undefined is no data; pass null to delete the bin.'),
    )
  })

  it('refuses what the schema refuses, with its issues, and without the data', () => {
    const error = failure(() => toText(COUNT, { count: 'precious' }))
    expect(error).toMatchObject({
      code: 'INVALID_DATA',
      bin: 'bin',
      issues: [{ message: expect.any(String), path: ['count'] }],
    })
    expect(error.message).toMatch(/^Data for bin "bin" was refused: at count: /)
    expect(error.message).not.toContain('precious')
  })

  it('refuses what cannot be encoded, with its path', () => {
    expect(failure(() => toText(define({}), { a: [() => {}] }))).toMatchObject({
      code: 'INVALID_DATA',
      bin: 'bin',
      issues: [{ path: ['a', 0] }],
    })
  })

  it('refuses a schema that goes on changing its own output', () => {
    const growing = define({
      schema: z.pipe(
        z.string(),
        z.transform((text: string) => `${text}!`),
      ),
    })
    expect(failure(() => toText(growing, 'hello'))).toMatchObject({
      code: 'INVALID_DATA',
      message: expect.stringContaining('idempotent'),
    })
  })

  it('refuses a schema that goes on changing the data that it is given', () => {
    const { definition } = counting((data) => {
      const list = data as number[]
      list.push(list.length)
      return list
    })
    expect(failure(() => toText(definition, [7]))).toMatchObject({
      code: 'INVALID_DATA',
      message: expect.stringContaining('idempotent'),
    })
  })

  it.each<[string, (data: unknown) => unknown]>([
    ['answers what it is given', (data) => data],
    ['answers a copy', (data) => structuredCloneOf(data)],
  ])('asks a schema once that leaves the data as they are, and %s', (_, change) => {
    const { calls, definition } = counting(change)
    expect(toText(definition, rich())).toBe(encode(rich()))
    expect(calls.count).toBe(1)
  })

  it('asks it once as well about data that come from a bin', () => {
    const { calls, definition } = counting((data) => ({ ...(data as object) }))
    const reading = fromTrusted(define({}), { text: encode(rich()), version: 1 })
    expect(toText(definition, 'data' in reading && reading.data)).toBe(encode(rich()))
    expect(calls.count).toBe(1)
  })

  it('asks a schema twice that changes the data, and keeps what it has changed', () => {
    const { calls, definition } = counting((data) => ({ ...(data as object), isSeen: true }))
    expect(toText(definition, { a: 1 })).toBe(encode({ a: 1, isSeen: true }))
    expect(calls.count).toBe(2)
    const sorting = counting((data) => (data as number[]).sort())
    expect(toText(sorting.definition, [2, 1])).toBe(encode([1, 2]))
    expect(sorting.calls.count).toBe(2)
  })

  it('takes what cannot be encoded, if the schema makes data of it', () => {
    const { calls, definition } = counting((data) => (data instanceof RegExp ? data.source : data))
    expect(toText(definition, /a/)).toBe(encode('a'))
    expect(calls.count).toBe(2)
  })

  it('refuses an asynchronous schema as a mistake', () => {
    const asynchronous = { '~standard': { version: 1, vendor: 'test', validate: async () => ({ value: 1 }) } }
    expect(() => toText(define({ schema: asynchronous }), 1)).toThrow(TypeError)
  })
})

describe.each([
  ['fromTrusted', fromTrusted],
  ['fromUntrusted', fromUntrusted],
] as const)('%s', (_, read) => {
  it('reads what toText has written', () => {
    for (const data of [{ count: 1 }, { count: -0 }]) {
      expect(read(COUNT, { text: toText(COUNT, data), version: 1 })).toEqual({ data })
    }
  })

  it('reads data that nobody can change', () => {
    const reading = read(define({}), { text: encode({ list: [{ a: 1 }] }), version: 1 })
    const { list } = ('data' in reading ? reading.data : {}) as { list: object[] }
    expect([Object.isFrozen(list), Object.isFrozen(list[0])]).toEqual([true, true])
  })

  it('reads what the schema makes of it', () => {
    expect(read(TRIMMED, { text: encode(' hello '), version: 1 })).toEqual({ data: 'hello' })
  })

  it('says what is wrong with what it cannot read', () => {
    expect(read(COUNT, { text: 'rubbish', version: 1 })).toEqual({ problem: 'unreadable' })
    expect(read(COUNT, { text: encode({ count: 'one' }), version: 1 })).toEqual({ problem: 'invalid' })
    expect(read(COUNT, { text: encode({ count: 1 }), version: 2 })).toEqual({ problem: 'outdated' })
  })

  it('does not let a schema or a migration stop it', () => {
    expect(read(BROKEN, { text: encode(1), version: 1 })).toMatchObject({
      problem: 'invalid',
      cause: { message: 'the schema is broken' },
    })
    const migrating = define({
      version: 2,
      migrate() {
        throw new Error('the migration is broken')
      },
    })
    expect(read(migrating, { text: encode(1), version: 1 })).toMatchObject({ problem: 'invalid' })
    expect(read(migrating, { text: encode(1), version: 2 })).toEqual({ data: 1 })
  })

  it('migrates older data, and validates it then', () => {
    const calls: unknown[] = []
    const migrating = define({
      version: 3,
      schema: z.object({ count: z.number() }),
      migrate(data: unknown, version: number) {
        calls.push([data, version])
        return typeof data === 'number' ? { count: data } : data
      },
    })
    expect(read(migrating, { text: encode(7), version: 1 })).toEqual({ data: { count: 7 } })
    expect(read(migrating, { text: encode('seven'), version: 2 })).toEqual({ problem: 'invalid' })
    expect(read(migrating, { text: encode({ count: 8 }), version: 3 })).toEqual({ data: { count: 8 } })
    expect(calls).toEqual([
      [7, 1],
      ['seven', 2],
    ])
  })

  it('shares nothing with a default of the schema', () => {
    const shared = { inner: { a: 1 } }
    const definition = define({ schema: z.object({ x: z._default(z.object({ inner: z.any() }), shared) }) })
    const reading = read(definition, { text: encode({}), version: 1 })
    expect(reading).toEqual({ data: { x: { inner: { a: 1 } } } })
    expect(Object.isFrozen(shared.inner)).toBe(false)
  })
})

describe('toOwn', () => {
  it('gives the data of the text, which nobody else has', () => {
    for (const change of [(data: unknown) => data, (data: unknown) => ({ ...(data as object), more: [] })]) {
      const data = rich()
      const { definition } = counting(change)
      const own = toOwn(definition, data)
      expect(encode(own.data)).toBe(own.text)
      freeze(own.data)
      expect([data, data.list, data.at].some(Object.isFrozen)).toBe(false)
    }
  })

  it('does not let the schema keep a hand on them', () => {
    const seen: object[] = []
    const { definition } = counting((data) => {
      seen.push(data as object)
      return data
    })
    const own = toOwn(definition, { list: [1] })
    for (const data of seen) Object.assign(data, { list: [2] })
    expect(own.data).toEqual({ list: [1] })
  })
})

describe('fromUntrusted', () => {
  it('does not let the schema keep a hand on the data', () => {
    const seen: object[] = []
    const { definition } = counting((data) => {
      seen.push(data as object)
      return { ...(data as object) }
    })
    const reading = fromUntrusted(definition, { text: encode({ list: [1] }), version: 1 })
    for (const data of seen) Object.assign(data, { list: [2] })
    expect(reading).toEqual({ data: { list: [1] } })
    expect(seen).toHaveLength(1)
  })
})

describe('toOwnText', () => {
  it('asks a schema once that leaves the data as they are, and encodes once, to prove the text', () => {
    const { calls, definition } = counting((data) => structuredCloneOf(data))
    const text = encode(rich())
    const stringify = vi.spyOn(JSON, 'stringify')
    expect(toOwnText(definition, { text, version: 1 })).toBe(text)
    const made = stringify.mock.results.filter(({ value }) => text.startsWith(`{"json":${value}`))
    stringify.mockRestore()
    expect([calls.count, made.length]).toEqual([1, 1])
  })

  it('asks a schema twice that changes the data', () => {
    const { calls, definition } = counting((data) => String(data).trim())
    expect(toOwnText(definition, { text: encode(' a '), version: 1 })).toBe(encode('a'))
    expect(calls.count).toBe(2)
  })

  it('does not show the schema what nobody of us has written', () => {
    const { calls, definition } = counting((data) => data)
    expect(failure(() => toOwnText(definition, { text: '{"json":[1, 2]}', version: 1 }))).toMatchObject({
      code: 'INVALID_DATA',
    })
    expect(calls.count).toBe(0)
  })

  it('refuses a schema that goes on changing its own output', () => {
    const { definition } = counting((data) => Number(data) + 1)
    expect(failure(() => toOwnText(definition, { text: encode(1), version: 1 }))).toMatchObject({
      message: expect.stringContaining('idempotent'),
    })
  })

  it('keeps what a migration changes in place', () => {
    const migrate = (data: unknown) => Object.assign(data as object, { more: 1 })
    const { definition } = counting((data) => ({ ...(data as object) }), { version: 2, migrate })
    expect(toOwnText(definition, { text: encode({ a: 1 }), version: 1 })).toBe(encode({ a: 1, more: 1 }))
    expect(fromUntrusted(definition, { text: encode({ a: 1 }), version: 1 })).toEqual({
      data: { a: 1, more: 1 },
    })
  })

  it('writes anew what somebody else has written', () => {
    expect(toOwnText(TRIMMED, { text: encode(' hello '), version: 1 })).toBe(encode('hello'))
  })

  it('migrates what is older', () => {
    const migrating = define({ version: 2, migrate: (data: unknown) => [data] })
    expect(toOwnText(migrating, { text: encode(1), version: 1 })).toBe(encode([1]))
    expect(toOwnText(migrating, { text: encode(1), version: 2 })).toBe(encode(1))
  })

  it.each(['rubbish', '', 'null', '{"json":1,"more":1}', '{"json":1,"meta":{"values":["Date"]}}'])(
    'refuses the text %j',
    (text) => {
      expect(failure(() => toOwnText(define({}), { text, version: 1 }))).toMatchObject({
        code: 'INVALID_DATA',
      })
    },
  )

  it('refuses what the schema refuses', () => {
    expect(failure(() => toOwnText(COUNT, { text: encode(1), version: 1 }))).toMatchObject({
      code: 'INVALID_DATA',
    })
  })
})

describe('fallback', () => {
  it('is the default, which nobody shares', () => {
    const data = { list: [1] }
    const definition = define({ default: data })
    const [one, other] = [fallback(definition), fallback(definition)]
    expect(one).toEqual(data)
    expect(one).not.toBe(data)
    expect(one).not.toBe(other)
    expect(Object.isFrozen((one as typeof data).list)).toBe(true)
    expect(Object.isFrozen(data)).toBe(false)
  })

  it('is what the schema says of undefined', () => {
    let count = 0
    const counting = define({ schema: z._default(z.number(), () => (count += 1)) })
    expect([fallback(counting), fallback(counting)]).toEqual([1, 2])
    expect(fallback(define({ schema: z.optional(z.string()) }))).toBeUndefined()
    expect(fallback(COUNT)).toBeUndefined()
    expect(fallback(define({}))).toBeUndefined()
  })
})

/** A copy of data, as a schema makes one: `structuredClone` does not know a URL. */
function structuredCloneOf(data: unknown): unknown {
  const { link, ...rest } = data as ReturnType<typeof rich>
  const { list, at, map, none, odd } = structuredClone(rest)
  return { list, at, map, link: new URL(link), none, odd }
}
