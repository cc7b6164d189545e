import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import superjson, { SuperJSON } from 'superjson'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { decode, decodeTrusted, encode, encodeCopy, tryEncode } from '../../../src/core/codec/codec.ts'
import { freeze } from '../../../src/core/codec/freeze.ts'
import { BinsError } from '../../../src/core/error.ts'
import { codecMismatches } from '../../support/vectors.ts'

const vectors = JSON.parse(readFileSync(new URL('../../vectors/codec.json', import.meta.url), 'utf8'))

/** A failure prints how to replay it. */
const RUNS = { numRuns: 300, seed: 20_251_121 }

const key = fc.oneof(
  fc.constantFrom('', '.', '..', '\\', '\\.', 'a.b', '0', '10', '01', '-1', 'length', 'toString', 'toJSON'),
  fc.string({ unit: 'binary' }).filter((text) => !/^(?:__proto__|constructor|prototype)$/.test(text)),
)

const { data } = fc.letrec((tie) => ({
  data: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.oneof(
      fc.constantFrom(undefined, Number.NaN, -0, 7n),
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
      fc.webUrl({ withFragments: true, withQueryParameters: true }).map((url) => new URL(url)),
    ),
    fc.array(tie('data')),
    fc.dictionary(key, tie('data')),
    fc.array(tie('data')).map((elements) => new Set(elements)),
    fc.array(fc.tuple(tie('data'), tie('data'))).map((entries) => new Map(entries)),
  ),
}))
const anyData = data.filter((value) => value !== undefined)

const json = fc
  .jsonValue({ stringUnit: 'binary' })
  .filter((value) => !JSON.stringify(value).includes('__proto__'))

const texts = fc.oneof(
  {
    arbitrary: fc.constantFrom<string>(...vectors.texts.map(({ text }: { text: string }) => text)),
    weight: 9,
  },
  { arbitrary: anyData.map(encode), weight: 1 },
)

// Property tests share a machine with everything else; what they assert is not time.
vi.setConfig({ testTimeout: 60_000 })

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the codec', () => {
  it('writes and reads the golden vectors, and refuses what they refuse', () => {
    expect(codecMismatches(vectors, { encode, decode, decodeTrusted })).toEqual([])
  })

  it('reads again what it wrote', () => {
    fc.assert(
      fc.property(anyData, (value) => {
        const text = encode(value)
        expect(encode(decode(text)?.data)).toBe(text)
        expect(encode(decodeTrusted(text))).toBe(text)
      }),
      RUNS,
    )
  })
})

describe('encode', () => {
  it('writes the bytes of superjson, without referentialEqualities', () => {
    fc.assert(
      fc.property(anyData, (value) => {
        expect(encode(value)).toBe(bySuperjson(value))
      }),
      RUNS,
    )
  })

  it('writes the bytes of JSON where JSON is enough', () => {
    fc.assert(
      fc.property(json, (value) => {
        fc.pre(!Object.is(value, -0) && !JSON.stringify(bySuperjson(value)).includes('"meta'))
        expect(encode(value)).toBe(JSON.stringify({ json: value }))
      }),
      RUNS,
    )
  })

  it.each<[string, unknown, string, PropertyKey[]]>([
    ['undefined at the root', undefined, 'undefined is no data', []],
    ['a function', { a: [() => 1] }, 'a function is no data', ['a', 0]],
    ['a toJSON method', { a: { toJSON: () => 1 } }, 'a function is no data', ['a', 'toJSON']],
    ['a hidden toJSON method', hidden('toJSON', () => 1), 'not enumerable', []],
    ['a symbol', [Symbol('s')], 'a symbol is no data', [0]],
    ['a key that is a symbol', { a: { [Symbol('s')]: 1 } }, 'key is a symbol', ['a']],
    ['a property that is not enumerable', hidden('secret', 1), 'not enumerable', []],
    ['a cycle', cycle({}), 'a cycle', ['a', 'self']],
    ['a cycle through a Map key', cyclicMap(), 'a cycle', [0, 0, 0]],
    ['33 levels', nested(33), 'deeper than 32', Array(33).fill(0)],
    ['33 levels of Maps', nestedMaps(17), 'deeper than 32', [...Array(16).fill([0, 1]).flat(), 0, 0]],
    ['a hole', Object.assign(new Array(3), { 0: 'x', 2: 'y' }), 'a hole', [1]],
    ['a billion holes', { a: new Array(1e9) }, 'a hole', ['a', 0]],
    ['an array with a property', Object.assign([1], { x: 1 }), 'a property of an array', []],
    ['the answer of a RegExp', 'ab'.match(/b/), 'a property of an array', []],
    ['half a surrogate pair', ['a\ud800'], 'half a surrogate pair', [0]],
    ['half a surrogate pair in a key', { 'a\udc00': 1 }, 'half a surrogate pair', ['a\udc00']],
    ['half a surrogate pair as a Map key', new Map([['\ud800', 1]]), 'half a surrogate pair', [0, 0]],
    ['the key __proto__', JSON.parse('{"a":{"__proto__":1}}'), 'reach a prototype', ['a', '__proto__']],
    ['the key constructor', { constructor: 1 }, 'reach a prototype', ['constructor']],
    ['the key prototype', [{ prototype: 1 }], 'reach a prototype', [0, 'prototype']],
    ['a bigint of 1001 digits', [10n ** 1000n], '1000 digits', [0]],
    ['a negative bigint of 1001 digits', -(10n ** 1000n), '1000 digits', []],
    ['an invalid Date', { at: new Date(Number.NaN) }, 'an invalid Date', ['at']],
    ['a Date with a property', Object.assign(new Date(0), { x: 1 }), 'a property of a Date', []],
    ['a subclass of Date', new (class extends Date {})(), 'an instance of a class', []],
    ['a subclass of Map', new (class extends Map {})(), 'an instance of a class', []],
    ['a subclass of Array', new (class extends Array {})(), 'an instance of a class', []],
    ['an instance of a class', { user: new (class User {})() }, 'an instance of a class', ['user']],
    ['an object made from another', Object.create({ a: 1 }), 'an instance of a class', []],
    ['an object made from a bare one', Object.create(Object.create(null)), 'an instance of a class', []],
    ['a RegExp', /a/, 'an instance of a class', []],
    ['an Error', new Error('x'), 'an instance of a class', []],
    ['a boxed string', Object('x'), 'an instance of a class', []],
    ['a boxed number', Object(1), 'an instance of a class', []],
    ['a typed array', new Uint8Array(1), 'an instance of a class', []],
    ['a buffer', new ArrayBuffer(1), 'an instance of a class', []],
    ['a Promise', Promise.resolve(1), 'an instance of a class', []],
    ['a WeakMap', new WeakMap(), 'an instance of a class', []],
    ['Math', Math, 'not enumerable', []],
    ['65,537 values', Array(65_536).fill(0), 'more than 65536 values', [65_535]],
    ['a rich value below a long path', { ['k'.repeat(512)]: [7n] }, 'more than 512', ['k'.repeat(512), 0]],
    ['a URL that is read as another', oddURL(), 'parse back', []],
  ])('refuses %s', (_, value, message, path) => {
    expect(refusalOf(value)).toEqual([{ message: expect.stringContaining(message), path }])
  })

  it('never says what the data is', () => {
    const { message, issues } = errorOf({ a: ['hunter2', 'hunter2\ud800'] })
    expect(message + issues[0]?.message).not.toContain('hunter2')
  })

  it('accepts what is just within the limits', () => {
    for (const value of [nested(32), nestedMaps(16), Array(65_535).fill(0), [1n - 10n ** 1000n]]) {
      expect(decode(encode(value))?.data).toEqual(value)
    }
  })

  it('writes shared objects once for each place', () => {
    const shared = { at: new Date(0) }
    expect(encode([shared, shared])).toBe(encode([{ at: new Date(0) }, { at: new Date(0) }]))
  })

  it('stops at objects that share their children twice a level', () => {
    let reads = 0
    let tree: object = {}
    for (let level = 0; level < 31; level += 1) {
      tree = new Proxy([tree, tree], {
        get(target, property) {
          reads += 1
          return Reflect.get(target, property)
        },
      })
    }
    expect(refusalOf(tree)).toMatchObject([{ message: 'more than 65536 values' }])
    expect(reads).toBeLessThan(500_000)
  })

  it('does not write a long path for each of many values', () => {
    const rich = vi.spyOn(Date.prototype, 'toISOString')
    const dates = Array.from({ length: 1_000 }, (_, at) => new Date(at))
    expect(refusalOf({ ['k'.repeat(65_000)]: dates })).toHaveLength(1)
    expect(rich).not.toHaveBeenCalled()
  })

  it('puts paths that are indexes before others, level by level, as objects do', () => {
    expect(encode({ a: [[7n], 8n], '0': { b: 9n } })).toBe(
      '{"json":{"0":{"b":"9"},"a":[["7"],"8"]},"meta":{"values":{"0.b":["bigint"],"a.1":["bigint"],"a.0.0":["bigint"]},"v":1}}',
    )
  })

  it('accepts plain objects and arrays of another realm, and bare objects', () => {
    const foreign = runInNewContext('({ list: [{ deep: null }], at })', { at: new Date(0) })
    expect(encode(foreign)).toBe(encode({ list: [{ deep: null }], at: new Date(0) }))
    expect(encode(Object.assign(Object.create(null), { a: 1 }))).toBe('{"json":{"a":1}}')
  })

  it('reads every property once, so that a getter cannot answer otherwise the second time', () => {
    let reads = 0
    const sly = {
      get a() {
        reads += 1
        return reads === 1 ? 1 : () => 'x'
      },
    }
    expect(encode(sly)).toBe('{"json":{"a":1}}')
  })

  it('writes frozen data like the data it was made from', () => {
    fc.assert(
      fc.property(anyData, (value) => {
        const text = encode(value)
        expect(encode(freeze(decode(text)?.data))).toBe(text)
      }),
      RUNS,
    )
  })

  it('writes the same whatever an application registers with superjson', () => {
    superjson.registerCustom<Date, string>(
      {
        isApplicable: (value) => value instanceof Date,
        serialize: () => 'x',
        deserialize: () => new Date(0),
      },
      'date',
    )
    expect(encode(new Date(0))).toBe('{"json":"1970-01-01T00:00:00.000Z","meta":{"values":["Date"],"v":1}}')
  })
})

describe('encodeCopy', () => {
  it('gives the data that decode reads from its text', () => {
    fc.assert(
      fc.property(anyData, (value) => {
        const { text, data } = encodeCopy(value)
        expect(text).toBe(encode(value))
        expect(data).toStrictEqual(decodeTrusted(text))
        expect(encode(data)).toBe(text)
      }),
      RUNS,
    )
  })

  it('shares nothing with what it was given', () => {
    const value = { list: [{ a: 1 }], at: new Date(0), map: new Map([['k', { b: 1 }]]) }
    const { data } = encodeCopy(value)
    value.list[0] = { a: 2 }
    value.at.setTime(1)
    value.map.clear()
    expect(data).toEqual({ list: [{ a: 1 }], at: new Date(0), map: new Map([['k', { b: 1 }]]) })
  })

  it('does not parse its text', () => {
    const parse = vi.spyOn(JSON, 'parse')
    encodeCopy({ list: [1], at: new Date(0) })
    expect(parse).not.toHaveBeenCalled()
  })
})

describe('tryEncode', () => {
  it('answers the issues of what cannot be encoded, and hides no other failure', () => {
    expect(tryEncode({ a: 1 })).toEqual({ text: '{"json":{"a":1}}', data: { a: 1 } })
    expect(tryEncode([() => 1])).toMatchObject({ issues: [{ message: 'a function is no data', path: [0] }] })
    expect([tryEncode(undefined), tryEncode(() => 1)].map(({ text }) => text)).toEqual([undefined, undefined])
    const failing = {
      get a() {
        throw new RangeError('broken')
      },
    }
    expect(() => tryEncode(failing)).toThrow(RangeError)
  })
})

describe('decode', () => {
  it('answers the data twice, so that what a schema does to them is seen', () => {
    const text = '{"json":{"list":[1]}}'
    const { data, own } = decode(text) ?? {}
    expect([data, own]).toEqual([{ list: [1] }, { text, data: { list: [1] } }])
    expect(own?.data).not.toBe(data)
  })

  it.each<[string, string]>([
    [
      'a typed array of a gigabyte',
      '{"json":1000000000,"meta":{"values":[["typed-array","Int8Array"]],"v":1}}',
    ],
    ['8,000 arrays in each other', `{"json":${'['.repeat(8_000)}${']'.repeat(8_000)}}`],
    ['100,000 arrays in each other', `{"json":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['8,000 objects in each other', `{"json":${'{"a":'.repeat(8_000)}1${'}'.repeat(8_000)}}`],
    ['8,000 annotations in each other', deepAnnotations(8_000)],
    ['24 levels of referentialEqualities', doubling(24)],
    ['a cycle', '{"json":{"a":null},"meta":{"referentialEqualities":[["a"]],"v":1}}'],
    ['a prototype by path', '{"json":{},"meta":{"values":{"__proto__.polluted":["undefined"]},"v":1}}'],
    ['a bigint of 100,000 digits', annotated('9'.repeat(100_000), ['bigint'])],
    ['one long path for 3,000 values', oneLongPath(3_000)],
    ['a path of 60,000 keys', annotated([null], { ['0.'.repeat(60_000)]: ['undefined'] })],
    ['a path of 60,000 backslashes', annotated([null], { ['\\'.repeat(60_001)]: ['undefined'] })],
    ['3,000 values annotated through one Set', throughSet(3_000)],
    ['an annotation of what is no Map', annotated(Array(3_000).fill(0), ['map'])],
    ['a RegExp that takes for ever', annotated(`/${'(a+)+'.repeat(99)}$/`, ['regexp'])],
  ])('refuses %s before superjson sees it', (_, text) => {
    const deserialize = vi.spyOn(SuperJSON.prototype, 'deserialize')
    const before = process.memoryUsage().arrayBuffers
    expect(decode(text)).toBeUndefined()
    expect(decodeTrusted(text)).toBeUndefined()
    expect(deserialize).not.toHaveBeenCalled()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  it('answers undefined, or data of just this text, to whatever it is given', () => {
    fc.assert(
      fc.property(mutated(texts), (text) => {
        const decoded = decode(text)
        if (decoded) expect([encode(decoded.data), decoded.own.text]).toEqual([text, text])
      }),
      { ...RUNS, numRuns: 3_000 },
    )
  })

  it('answers undefined to a text that superjson would read and we would not write', () => {
    const text = '{"json":[1,1],"meta":{"values":["set"],"v":1}}'
    expect(decodeTrusted(text)).toEqual(new Set([1]))
    expect(decode(text)).toBeUndefined()
  })
})

describe('decodeTrusted', () => {
  it('answers undefined to what it cannot read, and never throws', () => {
    for (const { text } of vectors.otherSpellings) expect(() => decodeTrusted(text)).not.toThrow()
    fc.assert(
      fc.property(mutated(texts), (text) => {
        decodeTrusted(text)
      }),
      { ...RUNS, numRuns: 3_000 },
    )
    expect(decodeTrusted('{"json":')).toBeUndefined()
  })
})

function bySuperjson(value: unknown): string {
  const { json, meta } = new SuperJSON().serialize(value)
  return JSON.stringify(meta?.values ? { json, meta: { values: meta.values, v: meta.v } } : { json })
}

/** Texts with a few characters, or annotations, exchanged, taken out or put in. */
function mutated(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const piece = fc.constantFrom(
    ...[
      '"',
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '0',
      '1',
      '-',
      '.',
      '\\',
      'null',
      '"0"',
      '"a.0"',
      '["set"]',
      '["map"]',
    ],
    ...[
      '["undefined"]',
      '["Date"]',
      '["map",{"0.0":["bigint"]}]',
      '"__proto__"',
      '"meta"',
      '[[1,2]]',
      '\\ud800',
    ],
  )
  const edit = fc.tuple(fc.nat(), fc.nat({ max: 4 }), piece)
  return fc.tuple(texts, fc.array(edit, { maxLength: 4 })).map(([text, edits]) =>
    edits.reduce((result, [at, length, inserted]) => {
      const start = at % (result.length + 1)
      return result.slice(0, start) + inserted + result.slice(start + length)
    }, text),
  )
}

function refusalOf(value: unknown): readonly unknown[] {
  return errorOf(value).issues
}

function errorOf(value: unknown): BinsError {
  try {
    encode(value)
  } catch (error) {
    if (error instanceof BinsError && error.code === 'INVALID_DATA') return error
    throw error
  }
  throw new Error('It was accepted.')
}

function hidden(name: string, value: unknown): object {
  return Object.defineProperty({}, name, { value })
}

function cycle(inner: Record<string, unknown>): unknown {
  inner.self = inner
  return { a: inner }
}

function cyclicMap(): unknown {
  const inner: unknown[] = []
  const map = new Map([[inner, 1]])
  inner.push(map)
  return map
}

function nested(levels: number): unknown {
  return levels === 0 ? 0 : [nested(levels - 1)]
}

function nestedMaps(levels: number): unknown {
  return levels === 0 ? 0 : new Map([['k', nestedMaps(levels - 1)]])
}

function oddURL(): URL {
  const url = new URL('http://a/')
  url.pathname = 'C|'
  url.protocol = 'file:'
  return url
}

function annotated(json: unknown, values: unknown): string {
  return JSON.stringify({ json, meta: { values, v: 1 } })
}

function deepAnnotations(levels: number): string {
  const values = `${'["set",{"0":'.repeat(levels)}["set"]${'}]'.repeat(levels)}`
  return `{"json":[],"meta":{"values":${values},"v":1}}`
}

function doubling(levels: number): string {
  const json: Record<string, unknown> = {}
  const referentialEqualities: Record<string, string[]> = {}
  for (let level = 0; level < levels; level += 1) {
    json[`l${level}`] = { a: null, b: null }
    referentialEqualities[`l${level}`] = [`l${level + 1}.a`, `l${level + 1}.b`]
  }
  return JSON.stringify({ json, meta: { referentialEqualities, v: 1 } })
}

function oneLongPath(values: number): string {
  const path = 'k'.repeat(60_000)
  const annotations = Object.fromEntries(Array.from({ length: values }, (_, index) => [index, ['undefined']]))
  return annotated({ [path]: Array(values).fill(null) }, { [path]: annotations })
}

function throughSet(values: number): string {
  const annotations = Array.from({ length: values }, (_, index) => [`s.${index}`, ['undefined']])
  return annotated({ s: Array(values).fill(null) }, { s: ['set'], ...Object.fromEntries(annotations) })
}
