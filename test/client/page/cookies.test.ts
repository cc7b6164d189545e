// @vitest-environment node
import { describe, expect, it, vi } from 'vitest'
import * as z from 'zod/mini'
import { openPageCookies } from '../../../src/client/page/cookies.ts'
import { formatPlain } from '../../../src/core/cookie/cookie-format.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinsEvent } from '../../../src/core/event.ts'
import { serveBins } from '../../../src/server/server.ts'
import { MINUTE, openClock, SECOND } from '../../support/clock.ts'
import { openProfile } from '../../support/pages/page.ts'
import { requestWith, take } from '../../support/sites/http.ts'

const SECRETS = [Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7)).toString('base64url')]

const bins = defineBins({
  theme: { schema: z._default(z.enum(['light', 'dark']), 'light'), storage: 'cookie' },
  region: { schema: z.object({ city: z.string() }), storage: 'cookie', maxAge: '1m' },
  count: { schema: z._default(z.number(), 0), storage: 'cookie' },
  variant: { schema: z.string(), storage: 'cookie', browser: 'read' },
  sealed: { schema: z.string(), storage: 'cookie', browser: 'none' },
  lasting: { schema: z.string(), storage: 'cookie', maxAge: '10m', renew: 'read' },
})

function setUp({ blocksCookies = false } = {}) {
  const clock = openClock()
  const profile = openProfile({ blocksCookies })
  const events: BinsEvent[] = []
  const server = serveBins(bins, { secrets: SECRETS, clock })
  const open = () => profile.open(bins, { clock, onEvent: (event) => events.push(event) })

  /** A page request that changes bins. */
  async function inRequest(change: (state: Awaited<ReturnType<typeof server.open>>) => void): Promise<void> {
    const state = await server.open(requestWith(profile.jar))
    change(state)
    take(profile.jar, await state.save(new Headers()))
  }

  /** Writes a cookie as some script of the page may. */
  function write(pair: string): void {
    profile.run((document) => {
      document.cookie = `${pair}; path=/`
    })
  }

  const plainOf = (text: string, { version = 1, expires = 0 } = {}) =>
    formatPlain({ version, at: clock() / SECOND, expires, text })

  return { clock, profile, events, server, open, inRequest, write, plainOf }
}

describe('cookie bins in a page', () => {
  it('live on where reading keeps them alive, a tenth of their life after the last time', async () => {
    const { open, profile, clock } = setUp()
    const page = await open()
    page.set('lasting', 'text')
    const first = profile.jar.header()
    clock.advance(MINUTE)
    await open()
    expect(profile.jar.header()).toBe(first)
    clock.advance(1)
    await open()
    expect(profile.jar.header()).not.toBe(first)
    clock.advance(9 * MINUTE + SECOND)
    expect((await open()).get('lasting')).toBe('text')
    clock.advance(10 * MINUTE)
    expect((await open()).get('lasting')).toBeUndefined()
  })

  it('are written so that people and servers can read them', async () => {
    const { open, profile, inRequest } = setUp()
    const page = await open()
    page.set('theme', 'dark')
    page.set('region', { city: 'São Paulo' })
    expect(profile.jar.header()).toMatch(
      /^bb-theme=1\.1\.\w+\.\w+\.'\{'json':'dark'\}; bb-region=1\.1\.\w+\.\w+\.'\{'json':\{'city':'S\*C3\*A3o\^Paulo'\}\}$/,
    )
    await inRequest((state) => {
      expect(state.get('theme')).toBe('dark')
      expect(state.get('region')).toEqual({ city: 'São Paulo' })
    })
  })

  it('show what a response has set, at once', async () => {
    const { open, inRequest } = setUp()
    const page = await open()
    const heard: unknown[] = []
    page.subscribe('theme', (theme) => heard.push(theme))
    await inRequest((state) => state.set('theme', 'dark'))
    expect(page.get('theme')).toBe('dark')
    await page.refresh()
    expect(heard).toEqual(['light', 'dark'])
  })

  it('show what another page has set, and do not count twice what both have', async () => {
    const { open } = setUp()
    const [one, two] = [await open(), await open()]
    const updates = [one, two, one, two, one].map((page) => page.update('count', (count) => count + 1))
    await Promise.all(updates)
    expect([one.get('count'), two.get('count')]).toEqual([5, 5])
  })

  it('live in the page where the browser keeps no cookies, and say so', async () => {
    const { open, events } = setUp({ blocksCookies: true })
    const page = await open()
    expect(page.status().problem).toBeUndefined()
    page.set('theme', 'dark')
    expect([page.get('theme'), page.has('theme'), page.names()]).toEqual(['dark', true, ['theme']])
    expect(page.status().problem).toBe('not-kept')
    expect(events).toEqual([{ type: 'not-kept', bin: 'theme' }])
    await expect(page.save()).rejects.toMatchObject({ code: 'NOT_KEPT', bin: 'theme' })
    page.set('theme', null)
    expect([page.get('theme'), page.status().problem]).toEqual(['light', undefined])
    await page.save()
  })

  it('follow another page that sets one at the very same moment', async () => {
    const { clock, events, plainOf } = setUp()
    const [light, dark] = [plainOf('{"json":"light"}'), plainOf('{"json":"dark"}')]
    const others = [dark, dark, light]
    let jar = ''
    vi.stubGlobal('location', new URL('https://example.org/'))
    vi.stubGlobal('document', {
      get cookie() {
        return jar
      },
      // Chromium's tabs are processes of their own: one may write between two lines of another.
      set cookie(_: string) {
        jar = `bb-theme=${others.shift()}`
      },
    })
    try {
      const cookies = openPageCookies(bins, { clock, onEvent: (event) => events.push(event) })
      cookies.set(bins.find('theme'), '{"json":"light"}')
      expect(cookies.find(bins.find('theme'))?.text).toBe('{"json":"dark"}')
      cookies.set(bins.find('theme'), '{"json":"light"}')
      expect(cookies.find(bins.find('theme'))?.text).toBe('{"json":"light"}')
      expect([cookies.unkept, events]).toEqual([[], []])
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it('are edited when this page sees what all of the browser sees', async () => {
    const { clock, plainOf } = setUp()
    const others = plainOf('2')
    let looks = 0
    // Firefox's processes have copies of the cookies, which follow a little later.
    vi.stubGlobal('cookieStore', { get: async () => ({ value: others }) })
    vi.stubGlobal('document', {
      get cookie() {
        looks += 1
        return looks < 3 ? `bb-count=${plainOf('1')}` : `bb-count=${others}`
      },
    })
    try {
      const cookies = openPageCookies(bins, { clock, onEvent: undefined })
      await cookies.agree?.(bins.find('count'))
      expect(cookies.find(bins.find('count'))?.text).toBe('2')
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it('leave foreign cookies alone, and do not count their bytes', async () => {
    const { open, profile, write } = setUp()
    write(`session=${'x'.repeat(5_000)}`)
    write('bbx-theme=mine')
    write('theme=mine')
    const page = await open()
    expect(page.names()).toEqual([])
    page.set('region', { city: 'x'.repeat(3_000) })
    await page.clear()
    expect(profile.jar.header()).toBe(`session=${'x'.repeat(5_000)}; bbx-theme=mine; theme=mine`)
  })

  it('are absent where their cookie is malformed, and leave the other bins alone', async () => {
    const { open, write, plainOf, events } = setUp()
    for (const value of [
      '',
      '1',
      '1.1.1.0.',
      "1.1.1.0.'{",
      '2.1.1.0.~AAAA',
      '%E0%A4%A',
      '"quoted"',
      "1.1.1.0.'{'json':'*C3'}",
    ]) {
      events.length = 0
      write(`bb-region=${value}`)
      write('bb-%E0%A4%A=broken')
      write('bb-unknown=1.1.1.0.~')
      write(`bb-theme=${plainOf('{"json":"dark"}')}`)
      const page = await open()
      expect([page.get('region'), page.has('region'), page.loaded('region')]).toEqual([
        undefined,
        false,
        true,
      ])
      expect(page.get('theme')).toBe('dark')
      expect(page.names()).toEqual(['theme'])
      expect(events).toContainEqual({ type: 'unreadable', bin: 'region', reason: 'unreadable' })
      page.set('region', { city: 'Ulm' })
      expect(page.get('region')).toEqual({ city: 'Ulm' })
    }
  })

  it('trust nobody: what a cookie holds goes through the schema', async () => {
    const { open, write, plainOf, events } = setUp()
    write(`bb-region=${plainOf('{"json":{"city":7}}')}`)
    write(`bb-theme=${plainOf('{"json":"purple"}')}`)
    const page = await open()
    expect([page.get('region'), page.get('theme')]).toEqual([undefined, 'light'])
    expect(events).toContainEqual({ type: 'unreadable', bin: 'region', reason: 'invalid', cause: undefined })
  })

  it('tell of an unreadable cookie once, however often it is read', async () => {
    const { open, write, events } = setUp()
    write('bb-theme=rubbish')
    const page = await open()
    for (let time = 0; time < 5; time += 1) page.get('theme')
    expect(events).toEqual([{ type: 'unreadable', bin: 'theme', reason: 'unreadable' }])
  })

  it('end when their own date says so, whatever the browser does', async () => {
    const { open, write, plainOf, clock } = setUp()
    write(`bb-region=${plainOf('{"json":{"city":"Ulm"}}', { expires: (clock() + MINUTE) / SECOND })}`)
    const page = await open()
    clock.advance(MINUTE - 1)
    expect(page.get('region')).toEqual({ city: 'Ulm' })
    clock.advance(1)
    expect(page.get('region')).toBeUndefined()
  })

  it('can be read where the server has signed them', async () => {
    const { open, inRequest, server, profile } = setUp()
    await inRequest((state) => {
      state.set('variant', 'b')
      state.set('sealed', 'secret')
    })
    const page = await open()
    expect([page.get('variant'), page.has('variant')]).toEqual(['b', true])
    expect([page.get('sealed'), page.has('sealed'), page.loaded('sealed')]).toEqual([undefined, false, false])
    expect(() => page.set('variant', 'c')).toThrow(expect.objectContaining({ code: 'READ_ONLY' }))
    await page.clear()
    const state = await server.open(requestWith(profile.jar))
    expect(state.get('variant')).toBeUndefined()
  })

  it('are signed for the server: it believes no cookie that a script has written', async () => {
    const { write, profile, server, plainOf } = setUp()
    write(`bb-variant=${plainOf('{"json":"mine"}')}`)
    const state = await server.open(requestWith(profile.jar))
    expect(state.get('variant')).toBeUndefined()
  })

  it('take no network, no database and no timer', async () => {
    const plain = defineBins({ theme: { storage: 'cookie' } })
    const refuse = () => {
      throw new Error('not needed')
    }
    const page = await openProfile().open(plain, { fetch: refuse, timer: refuse })
    page.set('theme', 'dark')
    await page.save()
    expect(await page.sync()).toEqual({ accepted: [], merged: [], superseded: [], rejected: [] })
    expect(page.status()).toMatchObject({ phase: 'idle', pending: 0, storage: { kind: 'none' } })
  })
})
