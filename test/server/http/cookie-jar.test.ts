import { describe, expect, it } from 'vitest'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { openJar as openJarOf } from '../../../src/server/http/cookie-jar.ts'
import { openSite } from '../../support/sites/requests.ts'

const { cookie } = defineBins({})

/** Opens the jar of a request with a `Cookie` header. */
function openJar(cookies: string, secure: boolean, options: typeof cookie) {
  return openJarOf({ cookies, secure, transport: 'cookie' }, options)
}

const NAMES = ['a', 'b', 'c', 'd'] as const
const bins = defineBins({
  a: { storage: 'cookie' },
  b: { storage: 'cookie' },
  c: { storage: 'cookie' },
  d: { storage: 'cookie' },
  cart: {},
})

/** What a plain cookie `bb-a` needs besides the text: its name, and `1.1.<at>.<expires>.'{'json':'…'}`. */
const FRAME = "bb-a1.1.xx8tc0.xysdc0.'{'json':''}".length

describe('the cookies of an embedded site', () => {
  const embedded = defineBins({}, { cookie: { embedded: true } }).cookie

  it('are partitioned, and always Secure', () => {
    for (const isSecure of [true, false]) {
      const jar = openJar('bb-a=1', isSecure, embedded)
      jar.set('bb-a', 'value', { httpOnly: true, maxAge: 60 })
      const [attributes] = jar.changes.get('bb-a')?.line?.match(/;.*/) ?? []
      expect(attributes).toBe('; Max-Age=60; Path=/; HttpOnly; Secure; Partitioned; SameSite=None')
      jar.delete('bb-a', { httpOnly: true })
      expect(jar.changes.get('bb-a')?.line).toBe(
        'bb-a=; Max-Age=0; Path=/; HttpOnly; Secure; Partitioned; SameSite=None',
      )
    }
  })
})

describe('the visitor cookie', () => {
  it.each([
    ['https', true, {}, '__Host-bb'],
    ['http on localhost', false, {}, 'bb'],
    ['a domain', true, { domain: 'example.org' }, '__Secure-bb'],
    ['a path', true, { path: '/shop' }, '__Secure-bb'],
    ['a domain on localhost', false, { domain: 'localhost' }, 'bb'],
    ['another prefix', true, { prefix: 'shop' }, '__Host-shop'],
  ])('is named after where it is valid: %s', (_, secure, options, name) => {
    expect(openJar('', secure, { ...cookie, ...options }).visitorName).toBe(name)
  })

  it('has Path=/, no Domain and Secure where its name promises that', () => {
    const jar = openJar('', true, cookie)
    jar.set(jar.visitorName, 'token', { httpOnly: true, maxAge: 60 })
    expect(jar.changes.get('__Host-bb')?.line).toBe(
      '__Host-bb=token; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax',
    )
  })
})

describe('a jar', () => {
  it('finds all cookies of one name, in their order', () => {
    const jar = openJar('a=1; bb-x=2;bb-x=3 ;  bb-x = 4; xbb-x=5; bb-x=', true, cookie)
    expect(jar.values('bb-x')).toEqual(['2', '3', '4', ''])
    expect(jar.values('a')).toEqual(['1'])
    expect(jar.values('b')).toEqual([])
  })

  it('finds no cookie that has the name of something in JavaScript', () => {
    const jar = openJar('a=1', true, cookie)
    for (const name of ['__proto__', 'constructor', 'toString']) expect(jar.values(name)).toEqual([])
  })

  it('does not decode what it finds', () => {
    expect(openJar('bb-x=%41%E0%A4+"q"', true, cookie).values('bb-x')).toEqual(['%41%E0%A4+"q"'])
  })

  it('finds what is to be set, and not what is to be deleted', () => {
    const jar = openJar('bb-x=1; bb-y=2', true, cookie)
    jar.set('bb-x', '3', { httpOnly: false })
    jar.delete('bb-y', { httpOnly: false })
    expect([jar.values('bb-x'), jar.values('bb-y')]).toEqual([['3'], []])
    jar.restore('bb-x', undefined)
    jar.restore('bb-y', undefined)
    expect([jar.values('bb-x'), jar.values('bb-y'), jar.changes.size]).toEqual([['1'], ['2'], 0])
  })

  it('tells the names of bins from those of other cookies', () => {
    const header = 'bb-a=1; bb-a_20b=2; bb-a_2Fb=3; bb-=4; bbq=5; bb.o=6; __Host-bb=7; bb-_ff=8; x-bb-a=9'
    expect(openJar(header, true, cookie).bins()).toEqual(['a', 'a b'])
  })
})

describe('the size of cookies', () => {
  it('is 4,096 bytes for name and value, and not one more', async () => {
    const { server, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    state.set('a', 'x'.repeat(4_096 - FRAME))
    const response = await state.save(new Response())
    const [line = ''] = response.headers.getSetCookie()
    expect(line.slice(0, line.indexOf(';')).length - '='.length).toBe(4_096)
    expect(() => state.set('a', 'x'.repeat(4_097 - FRAME))).toThrow(
      /^Bin "a" makes its cookie 4097 bytes; 4096 are allowed.*storage: 'server'/,
    )
    expect(state.get('a')).toBe('x'.repeat(4_096 - FRAME))
  })

  it('is 6 KiB for all of them, and not one byte more', async () => {
    const { server, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    for (const name of ['a', 'b', 'c'] as const) state.set(name, 'x'.repeat(1_536 - FRAME))
    state.set('d', 'x'.repeat(1_536 - FRAME))
    expect(() => state.set('d', 'x'.repeat(1_537 - FRAME))).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE', bin: 'd' }),
    )
    state.set('c', null)
    state.set('d', 'x'.repeat(1_537 - FRAME))
    expect(state.names()).toEqual(['a', 'b', 'd'])
  })

  it('counts what the browser has, and not what belongs to others', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    browser.jar.set(`foreign=${'x'.repeat(4_000)}`)
    await browser.visit((state) => {
      for (const name of NAMES) state.set(name, 'x'.repeat(1_000))
    })
    const state = await server.open(browser.request())
    expect(() => state.set('a', 'x'.repeat(3_500))).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
    state.set('a', 'x'.repeat(2_500))
  })

  it('never keeps a visitor from being made', async () => {
    const { openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => {
      for (const name of NAMES) state.set(name, 'x'.repeat(1_536 - FRAME))
      state.set('cart', ['apple'])
    })
    expect(await browser.visit((state) => state.get('cart'))).toEqual(['apple'])
  })
})
