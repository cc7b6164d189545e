import { describe, expect, it } from 'vitest'
import { formatPlain } from '../../../src/core/cookie/cookie-format.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { DAY, HOUR } from '../../support/clock.ts'
import { type CookieJar, requestWith } from '../../support/sites/http.ts'
import { cookiesOf, openSite, SECRETS, valueIn } from '../../support/sites/requests.ts'

const bins = defineBins({
  plain: { storage: 'cookie', default: 'none' },
  signed: { storage: 'cookie', browser: 'read', default: 'none' },
  sealed: { storage: 'cookie', browser: 'none', default: 'none' },
  other: { storage: 'cookie', browser: 'read', default: 'none' },
  box: { storage: 'cookie', browser: 'none', default: 'none' },
  tab: { storage: 'cookie', maxAge: 'session' },
  trial: { storage: 'cookie', browser: 'read', maxAge: '10d', renew: 'never' },
})

const NAMES = ['plain', 'signed', 'sealed'] as const

/** A browser with a cookie of each kind. */
async function openWithCookies(): Promise<ReturnType<typeof openSite<typeof bins>> & { jar: CookieJar }> {
  const site = openSite(bins)
  const { jar, visit } = site.openBrowser()
  await visit((state) => {
    for (const name of NAMES) state.set(name, `hello ${name}`)
  })
  return { ...site, jar }
}

function requestOf(cookie: string): Request {
  return new Request('https://example.org/', { headers: { cookie } })
}

describe('cookie bins', () => {
  it('are kept each in a cookie of its own, as the browser may use it', async () => {
    const { server, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    for (const name of [...NAMES, 'tab'] as const) state.set(name, name)
    const month = { maxAge: 30 * 86_400, path: '/', sameSite: 'lax', secure: true }
    expect(cookiesOf(await state.save(new Response()))).toEqual({
      'bb-plain': { ...month, value: expect.stringMatching(/^1\.1\./) },
      'bb-signed': { ...month, value: expect.stringMatching(/^1s\.1\./) },
      'bb-sealed': { ...month, httpOnly: true, value: expect.stringMatching(/^1e\.[\w-]{4}\.[\w-]+$/) },
      'bb-tab': { value: expect.stringMatching(/^1\.1\.\w+\.0\./), path: '/', sameSite: 'lax', secure: true },
    })
  })

  it('leave out Secure on localhost over http, and there only', async () => {
    const { server } = openSite(bins)
    for (const [url, secure] of [
      ['http://localhost:3000/', undefined],
      ['http://example.org/', true],
    ] as const) {
      const state = await server.open(new Request(url))
      state.set('plain', 'x')
      expect(cookiesOf(await state.save(new Response()))['bb-plain']?.secure).toBe(secure)
    }
  })

  it('read what they have written', async () => {
    const { server, jar, events } = await openWithCookies()
    const state = await server.open(requestWith(jar))
    expect(NAMES.map((name) => state.get(name))).toEqual(['hello plain', 'hello signed', 'hello sealed'])
    expect(events.all).toEqual([])
  })

  it.each(['signed', 'sealed'] as const)(
    'take a %s cookie for absent if one byte of it is another',
    async (name) => {
      const { server, jar, events } = await openWithCookies()
      const value = valueIn(jar, `bb-${name}`) ?? ''
      for (let index = 0; index < value.length; index += 1) {
        const other = value[index] === 'A' ? 'B' : 'A'
        const changed = value.slice(0, index) + other + value.slice(index + 1)
        const state = await server.open(requestOf(`bb-${name}=${changed}`))
        expect(state.get(name)).toBe('none')
        expect(state.has(name)).toBe(false)
      }
      expect(events.all).toHaveLength(value.length)
      expect(new Set(events.all.map((event) => JSON.stringify(event)))).toEqual(
        new Set([JSON.stringify({ type: 'unreadable', bin: name, reason: 'tampered' })]),
      )
    },
  )

  it.each(['signed', 'sealed'] as const)(
    'take a %s cookie for absent if it is cut or has grown',
    async (name) => {
      const { server, jar } = await openWithCookies()
      const value = valueIn(jar, `bb-${name}`) ?? ''
      const lengths = Array.from({ length: value.length }, (_, length) => value.slice(0, length))
      for (const changed of [
        ...lengths,
        `${value}A`,
        `${value}.A`,
        `A${value}`,
        `${value}=`,
        `${value}${value}`,
      ]) {
        const state = await server.open(requestOf(`bb-${name}=${changed}`))
        expect(state.get(name)).toBe('none')
      }
    },
  )

  it.each([
    ['signed', 'other'],
    ['sealed', 'box'],
    ['plain', 'signed'],
    ['plain', 'sealed'],
    ['signed', 'sealed'],
    ['sealed', 'signed'],
    ['signed', 'plain'],
    ['sealed', 'plain'],
  ] as const)('do not take the cookie of %s for one of %s', async (from, to) => {
    const { server, jar, events } = await openWithCookies()
    const state = await server.open(requestOf(`bb-${to}=${valueIn(jar, `bb-${from}`)}`))
    expect(state.get(to)).toBe('none')
    expect(events.types).toEqual(['unreadable'])
  })

  it('do not take a cookie under another prefix for theirs', async () => {
    const { jar } = await openWithCookies()
    const { server } = openSite(
      defineBins({ signed: { storage: 'cookie', browser: 'read' } }, { cookie: { prefix: 'cc' } }),
    )
    const state = await server.open(requestOf(`cc-signed=${valueIn(jar, 'bb-signed')}`))
    expect(state.has('signed')).toBe(false)
  })

  it.each(NAMES)('take a %s cookie for absent that is sent again after it has expired', async (name) => {
    const { server, jar, clock, events } = await openWithCookies()
    const value = valueIn(jar, `bb-${name}`)
    clock.advance(30 * DAY - 1_000)
    expect((await server.open(requestOf(`bb-${name}=${value}`))).get(name)).toBe(`hello ${name}`)
    clock.advance(1_000)
    expect((await server.open(requestOf(`bb-${name}=${value}`))).get(name)).toBe('none')
    expect(events.all).toEqual([{ type: 'unreadable', bin: name, reason: 'expired' }])
  })

  it('read a plain cookie as what anybody may have written', async () => {
    const { server, clock } = openSite(bins)
    for (const text of [
      '{"json":[1, 2]}',
      '{"json":1000000000,"meta":{"values":[["typed-array","Int8Array"]],"v":1}}',
    ]) {
      const at = Math.floor(clock() / 1_000)
      const value = formatPlain({ version: 1, at, expires: at + 60, text })
      const state = await server.open(requestOf(`bb-plain=${value}`))
      expect([state.get('plain'), state.has('plain')]).toEqual(['none', false])
    }
  })

  it('take the first of several plain cookies', async () => {
    const { server, jar, events } = await openWithCookies()
    const state = await server.open(requestOf(`bb-plain=rubbish; bb-plain=${valueIn(jar, 'bb-plain')}`))
    expect(state.get('plain')).toBe('none')
    expect(events.all).toEqual([
      { type: 'duplicate-cookie', name: 'bb-plain' },
      { type: 'unreadable', bin: 'plain', reason: 'unreadable' },
    ])
  })

  it.each(['signed', 'sealed'] as const)(
    'take the first of several %s cookies that is genuine',
    async (name) => {
      const { server, jar, events } = await openWithCookies()
      const value = valueIn(jar, `bb-${name}`)
      const state = await server.open(requestOf(`bb-${name}=rubbish; bb-${name}=${value}; bb-${name}=more`))
      expect(state.get(name)).toBe(`hello ${name}`)
      expect(events.types).toEqual(['duplicate-cookie', 'unreadable'])
    },
  )

  it('report what is wrong with a cookie once, however often it is read', async () => {
    const { server, events } = openSite(bins)
    const state = await server.open(requestOf('bb-plain=rubbish; bb-signed=rubbish'))
    for (let round = 0; round < 3; round += 1) {
      state.get('plain')
      state.has('signed')
    }
    expect(events.all).toHaveLength(2)
  })

  it.each([
    'bb-plain',
    'bb-plain=',
    'bb-plain=%',
    'bb-plain=%E0%A4%A',
    'bb-plain="',
    '=',
    ';;;',
    'bb-plain=\u00ff\u00fe',
    "bb-plain=1.1.1.0.'{'json':'\\u0000",
    '__proto__=1; constructor=2; toString=3; hasOwnProperty=4',
  ])('are not disturbed by a neighbour like %j', async (neighbour) => {
    const { server, jar } = await openWithCookies()
    const header = `${neighbour}; bb-signed=${valueIn(jar, 'bb-signed')}; bb-sealed=${valueIn(jar, 'bb-sealed')}`
    const state = await server.open(requestOf(header))
    expect(NAMES.map((name) => state.get(name))).toEqual(['none', 'hello signed', 'hello sealed'])
  })

  it('have 4,096 bytes of name and value at most, sealed ones too', async () => {
    const { server, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    state.set('sealed', 'x'.repeat(3_004))
    const [line = ''] = (await state.save(new Response())).headers.getSetCookie()
    expect(line.slice(0, line.indexOf(';')).length - '='.length).toBe(4_096)
    expect(() => state.set('sealed', 'x'.repeat(3_005))).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE', message: expect.stringContaining('4097 bytes; 4096') }),
    )
    expect(state.get('sealed')).toBe('x'.repeat(3_004))
  })

  it('leave foreign cookies alone', async () => {
    const { server, jar } = await openWithCookies()
    for (const line of ['bbq=1', 'other=2', 'bb_plain=3']) jar.set(line)
    const state = await server.open(requestWith(jar))
    for (const name of NAMES) state.set(name, null)
    await state.clear()
    expect(Object.keys(cookiesOf(await state.save(new Response()))).sort()).toEqual([
      'bb-plain',
      'bb-sealed',
      'bb-signed',
    ])
  })

  it('are readable under an old secret, and rewritten under the present one at the next write', async () => {
    const [present = '', old = ''] = SECRETS
    const before = openSite(bins, { secrets: [old] })
    const browser = before.openBrowser()
    await browser.visit((state) => {
      for (const name of NAMES) state.set(name, 'kept')
    })
    const during = openSite(bins, { secrets: [present, old] })
    const state = await during.server.open(browser.request())
    expect(NAMES.map((name) => state.get(name))).toEqual(['kept', 'kept', 'kept'])
    for (const name of NAMES) state.set(name, state.get(name))
    const rewritten = cookiesOf(await state.save(new Response()))
    const after = openSite(bins, { secrets: [present] })
    const header = NAMES.map((name) => `bb-${name}=${rewritten[`bb-${name}`]?.value}`).join('; ')
    const later = await after.server.open(requestOf(header))
    expect(NAMES.map((name) => later.get(name))).toEqual(['kept', 'kept', 'kept'])
    const never = await after.server.open(browser.request())
    expect(NAMES.map((name) => never.get(name))).toEqual(['kept', 'none', 'none'])
  })

  it('keep their end where a write does not renew it', async () => {
    const { openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('trial', 'day 0'))
    clock.advance(9 * DAY)
    await browser.visit((state) => state.set('trial', 'day 9'))
    clock.advance(DAY - HOUR)
    expect(await browser.visit((state) => state.get('trial'))).toBe('day 9')
    clock.advance(HOUR)
    expect(await browser.visit((state) => state.get('trial'))).toBeUndefined()
    await browser.visit((state) => state.set('trial', 'day 10'))
    clock.advance(9 * DAY)
    expect(await browser.visit((state) => state.get('trial'))).toBe('day 10')
  })

  it('of a newer version of the program are left as they are', async () => {
    const newer = openSite(defineBins({ bin: { storage: 'cookie', version: 2 } }))
    const browser = newer.openBrowser()
    await browser.visit((state) => state.set('bin', 'new'))
    const older = openSite(defineBins({ bin: { storage: 'cookie', default: 'none' } }))
    const state = await older.server.open(browser.request())
    expect([state.has('bin'), state.get('bin')]).toEqual([true, 'none'])
    expect(() => state.set('bin', 'old')).toThrow(expect.objectContaining({ code: 'OUTDATED' }))
    await state.clear()
    expect(cookiesOf(await state.save(new Response()))['bb-bin']).toMatchObject({ maxAge: 0 })
  })
})
