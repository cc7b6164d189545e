import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../../src/core/codec/codec.ts'
import { freeze, isBuiltIn } from '../../../src/core/codec/freeze.ts'

const at = '2025-11-21T03:30:00.123Z'
const href = 'https://user:pass@example.com:8080/a?q=1#h'

/** Fresh data of every kind, each inside another. */
function sample() {
  return {
    list: [{ deep: [1] }],
    at: new Date(at),
    visits: new Map<unknown, unknown>([
      ['home', { count: 3 }],
      [{ id: 1 }, new Set([new Date(at)])],
    ]),
    tags: new Set<unknown>(['a', { b: 1 }]),
    link: new URL(href),
  }
}

describe('freeze', () => {
  it('returns the same data', () => {
    const data = sample()
    expect(freeze(data)).toBe(data)
    for (const primitive of [null, undefined, 0, '', true, 1n]) expect(freeze(primitive)).toBe(primitive)
  })

  it('freezes objects and arrays at every depth, in Maps and Sets too', () => {
    const { list, visits, tags } = freeze(sample())
    const [, [key, set] = []] = [...visits]
    const inner = [list, list[0], list[0]?.deep, visits, visits.get('home'), key, set, tags, [...tags][1]]
    for (const object of inner) expect(Object.isFrozen(object)).toBe(true)
  })

  it('lets no Date change', () => {
    const names = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'))
    expect(names).toContain('setTime')
    for (const name of names) {
      const date = freeze(new Date(at))
      expect(() => call(date, name, 1)).toThrow(
        new TypeError(`${name}: data from get() is frozen; pass a changed copy to set()`),
      )
      expect(date.toISOString()).toBe(at)
    }
  })

  it('lets no Map change', () => {
    const map = freeze(new Map([['a', 1]]))
    for (const name of ['set', 'delete', 'clear']) expect(() => call(map, name, 'a', 2)).toThrow('is frozen')
    if ('getOrInsert' in map) expect(() => call(map, 'getOrInsert', 'b', 2)).toThrow('is frozen')
    expect([...map]).toEqual([['a', 1]])
  })

  it('lets no Set change', () => {
    const set = freeze(new Set(['a']))
    for (const name of ['add', 'delete', 'clear']) expect(() => call(set, name, 'a')).toThrow('is frozen')
    expect([...set]).toEqual(['a'])
  })

  it('lets no URL change', () => {
    const properties = Object.entries(Object.getOwnPropertyDescriptors(URL.prototype))
    const settable = properties.filter(([, { set }]) => set).map(([name]) => name)
    expect(settable).toContain('hash')
    const url = freeze(new URL(href))
    for (const name of settable) expect(() => Reflect.set(url, name, 'x')).toThrow('is frozen')
    for (const name of ['append', 'delete', 'set', 'sort']) {
      expect(() => call(url.searchParams, name, 'q', '2')).toThrow('is frozen')
    }
    expect(url.href).toBe(href)
  })

  it('lets nothing be added to a Date, Map, Set or URL', () => {
    for (const object of [new Date(), new Map(), new Set(), new URL(href)]) {
      expect(() => Object.assign(freeze(object), { extra: 1 })).toThrow(TypeError)
    }
  })

  it('leaves every reading method as it was', () => {
    const { at: date, visits, tags, link } = freeze(sample())
    expect(date.getTime()).toBe(Date.parse(at))
    expect(JSON.stringify(date)).toBe(`"${at}"`)
    expect(new Intl.DateTimeFormat('en', { timeZone: 'UTC' }).format(date)).toBe('11/21/2025')
    expect([visits.size, visits.has('home'), [...visits.keys()][0]]).toEqual([2, true, 'home'])
    expect([tags.size, tags.has('a')]).toEqual([2, true])
    expect([link.host, link.searchParams.get('q'), String(link)]).toEqual(['example.com:8080', '1', href])
    expect(inspect(freeze(new Map([['a', 1]])))).toContain("'a' => 1")
  })

  it('keeps instanceof and equality in tests', () => {
    const frozen = freeze(sample())
    expect(frozen).toEqual(sample())
    expect(sample()).toEqual(frozen)
    expect(frozen).toStrictEqual(sample())
    expect(frozen).not.toEqual({ ...sample(), at: new Date(0) })
    expect([frozen.at instanceof Date, frozen.visits instanceof Map]).toEqual([true, true])
    expect([frozen.tags instanceof Set, frozen.link instanceof URL]).toEqual([true, true])
  })

  it('lets structuredClone make copies that can be changed', () => {
    const { link: _, ...cloneable } = freeze(sample())
    const clone = structuredClone(cloneable)
    expect(clone).toEqual(cloneable)
    clone.at.setTime(0)
    clone.visits.clear()
    clone.tags.add('c')
    clone.list[0]?.deep.push(2)
    expect(cloneable.at.toISOString()).toBe(at)
  })

  it('makes data that can be copied by constructors and encoded', () => {
    const frozen = freeze(sample())
    expect(new Map(frozen.visits).set('c', 1).size).toBe(3)
    expect(new Date(frozen.at).setTime(0)).toBe(0)
    expect(encode(frozen)).toBe(encode(sample()))
    expect(decode(encode(frozen))?.data).toEqual(sample())
  })

  it('can be called again', () => {
    const data = freeze(sample())
    expect(freeze(data)).toBe(data)
  })

  it('changes no other object', () => {
    freeze(sample())
    expect(new Date(0).setTime(1)).toBe(1)
    expect(new Map().set(1, 1).size).toBe(1)
    expect(new URL(href).searchParams.append('a', 'b')).toBeUndefined()
  })
})

describe('isBuiltIn', () => {
  it('knows Date, Map, Set and URL, frozen or not, and nothing that is derived from them', () => {
    for (const object of [new Date(), new Map(), new Set(), new URL(href)]) {
      expect(isBuiltIn(object)).toBe(true)
      expect(isBuiltIn(freeze(object))).toBe(true)
      expect(isBuiltIn(Object.create(object))).toBe(false)
    }
    for (const object of [{}, [], /a/, new (class extends Map {})(), Object.create(null)]) {
      expect(isBuiltIn(object)).toBe(false)
    }
  })
})

function call(object: object, name: string, ...values: unknown[]): unknown {
  return Reflect.get(object, name).apply(object, values)
}
