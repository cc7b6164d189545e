import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinOptions, DefinitionsOptions } from '../../../src/core/definition/definition.ts'

/** Defines one bin as a caller without types may. */
function define(options: unknown) {
  return defineBins({ bin: options as BinOptions }).find('bin')
}

function defineWith(options: unknown) {
  return defineBins({}, options as DefinitionsOptions)
}

describe('defineBins', () => {
  it('fills in the defaults', () => {
    const bins = defineBins({ cart: {}, theme: { storage: 'cookie' }, draft: { storage: 'device' } })
    expect(bins).toMatchObject({
      names: ['cart', 'theme', 'draft'],
      others: undefined,
      path: '/bins',
      cookie: { prefix: 'bb', path: '/', sameSite: 'lax' },
    })
    expect(bins.cookie).not.toHaveProperty('domain')
    expect(bins.find('cart')).toEqual({
      name: 'cart',
      schema: undefined,
      hasDefault: false,
      default: undefined,
      storage: 'server',
      store: 'default',
      scope: 'visitor',
      browser: 'none',
      bind: 'none',
      consent: undefined,
      maxAge: 30 * 86_400,
      renew: 'write',
      merge: 'latest',
      version: 1,
      migrate: undefined,
    })
    expect(bins.find('theme')).toMatchObject({ storage: 'cookie', browser: 'write' })
    expect(bins.find('draft')).toMatchObject({ storage: 'device', browser: 'write' })
  })

  it('keeps what is given', () => {
    const [migrate, merge, schema] = [(data: unknown) => data, () => 'x', z.string()]
    const options = {
      schema,
      default: 'x',
      store: 'fast',
      scope: 'visitor',
      browser: 'read',
      maxAge: 'session',
      renew: 'never',
      merge,
      version: 3,
      migrate,
    } as const
    expect(defineBins({ bin: options }).find('bin')).toEqual({
      ...options,
      name: 'bin',
      storage: 'server',
      scope: 'visitor',
      bind: 'none',
      consent: undefined,
      hasDefault: true,
    })
  })

  it('takes null for a default, and undefined for none', () => {
    expect(define({ default: null })).toMatchObject({ hasDefault: true, default: null })
    expect(define({ default: undefined })).toMatchObject({ hasDefault: false })
  })

  it.each([
    ['zod', z.string()],
    ['valibot', v.string()],
    ['arktype', type('string')],
  ])('takes a schema of %s', (_, schema) => {
    expect(define({ schema, default: 'x' }).schema).toBe(schema)
  })

  it.each(['a', '__proto__x', 'toString', 'a b', 'a.b/c%', 'ß'.repeat(32), '😀'.repeat(16), '\u0000'])(
    'takes the name %j',
    (name) => {
      const bins = defineBins({ [name]: {} })
      expect([bins.names, bins.knows(name), bins.find(name).name]).toEqual([[name], true, name])
    },
  )

  it.each(['', 'x'.repeat(65), 'ß'.repeat(33), '\ud800', 'a\udc00b'])('refuses the name %j', (name) => {
    expect(() => defineBins({ [name]: {} })).toThrow(TypeError)
  })

  it('knows no name that nobody defined, not even those that objects have', () => {
    const bins = defineBins({ cart: {} })
    for (const name of ['other', 'toString', '__proto__', 'constructor', '']) {
      expect(bins.knows(name)).toBe(false)
      expect(() => bins.find(name)).toThrow(expect.objectContaining({ code: 'UNKNOWN_BIN', bin: name }))
    }
  })

  it('defines all other names, if it is asked to', () => {
    const bins = defineBins({ cart: {} }, { others: { storage: 'cookie', maxAge: '1h' } })
    expect(bins.find('cart').storage).toBe('server')
    for (const name of ['any', '__proto__', 'toString']) {
      expect(bins.knows(name)).toBe(true)
      expect(bins.find(name)).toMatchObject({ name, storage: 'cookie', maxAge: 3_600 })
    }
    for (const name of ['', 'x'.repeat(65), '\ud800']) {
      expect(bins.knows(name)).toBe(false)
      expect(() => bins.find(name)).toThrow(expect.objectContaining({ code: 'UNKNOWN_BIN' }))
    }
  })

  it.each<[string, unknown, RegExp]>([
    ['a bare schema', z.string(), /^bin "bin": pass/],
    ['nothing', undefined, /^bin "bin": pass/],
    ['null', null, /^bin "bin": pass/],
    ['a misspelt option', { maxage: '1d' }, /^bin "bin": there is no option "maxage"/],
    ['a storage that there is not', { storage: 'session' }, /^bin "bin": storage: pass one of 'server'/],
    [
      'a cookie of a user that others can read',
      { storage: 'cookie', browser: 'read', bind: 'user' },
      /^bin "bin": bind: whoever/,
    ],
    ['an owner that there is not', { scope: 'group' }, /^bin "bin": scope/],
    ['a browser access that there is not', { browser: 'all' }, /^bin "bin": browser/],
    ['a maxAge of 0', { maxAge: 0 }, /^bin "bin": maxAge/],
    ['a maxAge that is none', { maxAge: 'forever' }, /^bin "bin": maxAge/],
    ['a renew that there is not', { renew: 'always' }, /^bin "bin": renew/],
    ['a merge that there is not', { merge: 'mine' }, /^bin "bin": merge/],
    ['a version of 0', { version: 0 }, /^bin "bin": version/],
    ['half a version', { version: 1.5 }, /^bin "bin": version/],
    ['a migrate that is no function', { migrate: {} }, /^bin "bin": migrate/],
    ['a schema that is none', { schema: { type: 'string' } }, /^bin "bin": schema/],
    ['a schema of null', { schema: null }, /^bin "bin": schema/],
    ['a default that the schema refuses', { schema: z.string(), default: 1 }, /^bin "bin": default/],
    ['a default that nothing can encode', { default: () => {} }, /^bin "bin": default/],
    [
      'a device bin that the browser may only read',
      { storage: 'device', browser: 'read' },
      /^bin "bin".*device/,
    ],
    ['a cookie that follows a user', { storage: 'cookie', scope: 'user' }, /^bin "bin".*user/],
    ['a user’s bin for a session', { scope: 'user', maxAge: 'session' }, /^bin "bin".*session/],
    ['a cookie in a store', { storage: 'cookie', store: 'fast' }, /^bin "bin".*store/],
    [
      'a plain cookie that belongs to somebody',
      { storage: 'cookie', bind: 'visitor' },
      /^bin "bin": bind: only/,
    ],
    ['a server bin that is bound', { bind: 'user' }, /^bin "bin": bind: only/],
    [
      'an owner that there is not',
      { storage: 'cookie', browser: 'read', bind: 'me' },
      /^bin "bin": bind: pass/,
    ],
    ['an empty category', { consent: '' }, /^bin "bin": consent: pass/],
    ['consent for a user', { scope: 'user', consent: 'x' }, /^bin "bin": consent: it is asked/],
    ['a cookie of 401 days', { storage: 'cookie', maxAge: '401d' }, /^bin "bin": maxAge.*400 days/],
  ])('refuses %s', (_, options, message) => {
    expect(() => define(options)).toThrow(TypeError)
    expect(() => define(options)).toThrow(message)
  })

  it('takes a server bin of 401 days, and a cookie of 400', () => {
    expect(define({ maxAge: '401d' }).maxAge).toBe(401 * 86_400)
    expect(define({ storage: 'cookie', maxAge: '400d' }).maxAge).toBe(400 * 86_400)
  })

  it.each<[string, unknown]>([
    ['a misspelt option', { cookies: {} }],
    ['a path without a slash', { path: 'bins' }],
    ['a path that is a URL', { path: 'https://example.org/bins' }],
    ['a path with a query', { path: '/bins?x' }],
    ['the path of the whole site', { path: '/' }],
    ['a path that is another host', { path: '//example.org' }],
    ['a path with a slash behind it', { path: '/bins/' }],
    ['a misspelt cookie option', { cookie: { samesite: 'lax' } }],
    ['a long prefix', { cookie: { prefix: 'x'.repeat(17) } }],
    ['an empty prefix', { cookie: { prefix: '' } }],
    ['a prefix with a dash', { cookie: { prefix: 'a-b' } }],
    ['a domain that is none', { cookie: { domain: 'example.org; Path=/' } }],
    ['a cookie path that is none', { cookie: { path: '/;' } }],
    ['a sameSite that there is not', { cookie: { sameSite: 'none' } }],
    ['a sameSite that forbids what is wanted', { cookie: { sameSite: 'lax', embedded: true } }],
    ['embedded for a question', { cookie: { embedded: 'yes' } }],
    ['others that cannot be', { others: { storage: 'nowhere' } }],
  ])('refuses %s', (_, options) => {
    expect(() => defineWith(options)).toThrow(TypeError)
  })

  it('cannot be changed afterwards', () => {
    const bins = defineBins({ cart: {} })
    for (const part of [bins, bins.names, bins.cookie]) expect(Object.isFrozen(part)).toBe(true)
  })
})
