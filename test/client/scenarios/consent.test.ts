// @vitest-environment node
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { beforeEach, describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import type { ClientBins } from '../../../src/client/client-bins.ts'
import type { ClientOptions } from '../../../src/client/open-bins.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { AnyRequest } from '../../../src/server/http/request-head.ts'
import { openClock, openTimers } from '../../support/clock.ts'
import { openProfile } from '../../support/pages/page.ts'
import { fetchWith, requestWith, take } from '../../support/sites/http.ts'
import { openSite, valueIn } from '../../support/sites/requests.ts'

const bins = defineBins({
  theme: { schema: z.string(), storage: 'cookie', default: 'light', consent: 'preferences' },
  draft: { schema: z.string(), storage: 'device', default: '', consent: 'preferences' },
  note: { schema: z.string(), browser: 'write', default: '', consent: 'preferences' },
  campaign: { schema: z.string(), storage: 'cookie', default: '', consent: 'marketing' },
  cart: { schema: z.string(), storage: 'cookie', default: '' },
})

// Each browser has a database of its own.
beforeEach(() => {
  globalThis.indexedDB = new IDBFactory()
})

/** A browser on a site that hears of consent by a cookie. */
function openBrowser() {
  const consent = ({ headers }: AnyRequest) =>
    /(?:^|; )consent=([^;]*)/.exec(new Headers(headers as HeadersInit).get('cookie') ?? '')?.[1]?.split('.')
  const site = openSite(bins, { consent })
  const profile = openProfile()
  const clock = openClock()
  return {
    ...site,
    jar: profile.jar,
    open: (options: ClientOptions = {}) =>
      profile.open(bins, {
        clock,
        fetch: fetchWith(profile.jar, site.server.fetch),
        timer: openTimers().start,
        ...options,
      }),
  }
}

function setAll(page: ClientBins<typeof bins>): void {
  page.set('theme', 'dark')
  page.set('draft', 'text')
  page.set('note', 'remember')
  page.set('campaign', 'spring')
}

const getAll = ({ get }: ClientBins<typeof bins>) => [
  get('theme'),
  get('draft'),
  get('note'),
  get('campaign'),
]
const ALL = ['dark', 'text', 'remember', 'spring']
const NOTHING = ['light', '', '', '']

describe('bins that need consent', () => {
  it('live as long as the page before it is given', async () => {
    const { open, jar, store } = openBrowser()
    for (const options of [{}, { consent: [] }]) {
      const page = await open(options)
      setAll(page)
      expect(getAll(page)).toEqual(ALL)
      expect(await page.update('draft', (draft) => `${draft}s`)).toBe('texts')
      expect(page.names().sort()).toEqual(['campaign', 'draft', 'note', 'theme'])
      expect(await page.update('theme', () => null)).toBe('light')
      await page.save()
      expect((await page.sync()).accepted).toEqual([])
      expect(page.status()).toMatchObject({ pending: 0 })
    }
    expect([jar.header(), store.calls]).toEqual(['', []])
    expect(getAll(await open())).toEqual(NOTHING)
  })

  it('stay as they are where it is no list', async () => {
    const { open, jar } = openBrowser()
    const page = await open({ consent: ['preferences', 'marketing'] })
    setAll(page)
    await page.save()
    const before = jar.header()
    expect(() => page.consent('preferences' as never)).toThrow(/^consent: pass a list/)
    await expect(open({ consent: 'preferences' as never })).rejects.toThrow(TypeError)
    expect(jar.header()).toBe(before)
  })

  it('are kept as soon as it is given', async () => {
    const { open, jar, server } = openBrowser()
    const page = await open()
    const seen: string[] = []
    page.subscribe('theme', (theme) => seen.push(theme))
    setAll(page)
    jar.set('consent=preferences')
    await page.consent(['preferences'])
    await page.sync()
    expect(getAll(page)).toEqual(ALL)
    expect(seen).toEqual(['light', 'dark'])
    expect([valueIn(jar, 'bb-theme'), valueIn(jar, 'bb-campaign')]).toEqual([expect.any(String), undefined])
    const state = await server.open(requestWith(jar))
    expect([state.get('theme'), state.get('note')]).toEqual(['dark', 'remember'])
    const next = await open({ consent: ['preferences'] })
    expect([next.get('theme'), next.get('campaign')]).toEqual(['dark', ''])
  })

  it('are deleted when it is withdrawn, here and on the server, and no other', async () => {
    const { open, jar, server } = openBrowser()
    jar.set('consent=preferences.marketing')
    const page = await open({ consent: ['preferences', 'marketing'] })
    setAll(page)
    page.set('cart', 'bread')
    await page.sync()
    await page.consent(['marketing'])
    expect([...getAll(page), page.get('cart')]).toEqual(['light', '', '', 'spring', 'bread'])
    expect(valueIn(jar, 'bb-theme')).toBe(undefined)
    await page.sync()
    const state = await server.open(requestWith(jar))
    expect([state.get('note'), state.get('campaign')]).toEqual(['', 'spring'])
    await page.consent(['preferences', 'marketing'])
    expect(getAll(page)).toEqual(['light', '', '', 'spring'])
  })

  it('are deleted by a page that opens with less of it, and left alone by one that does not know', async () => {
    const { open, jar } = openBrowser()
    const page = await open({ consent: ['preferences'] })
    page.set('theme', 'dark')
    expect((await open()).get('theme')).toBe('light')
    expect((await open({ consent: ['preferences'] })).get('theme')).toBe('dark')
    expect((await open({ consent: [] })).get('theme')).toBe('light')
    expect((await open({ consent: ['preferences'] })).get('theme')).toBe('light')
    expect(jar.header()).toBe('')
  })

  it('are deleted on the server if the page of another server withdraws', async () => {
    const { open, jar, server } = openBrowser()
    jar.set('consent=preferences')
    const page = await open({ consent: ['preferences'] })
    page.set('note', 'remember')
    await page.sync()
    jar.set('consent=')
    const headers = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    const state = await server.open(requestWith(jar, '/', { headers }))
    take(jar, await state.save(new Headers()))
    jar.set('consent=preferences')
    expect((await server.open(requestWith(jar))).get('note')).toBe('')
    await page.sync()
    expect(page.get('note')).toBe('')
  })

  it('are cleared with all others', async () => {
    const page = await openBrowser().open()
    setAll(page)
    await page.clear()
    expect(getAll(page)).toEqual(NOTHING)
  })
})
