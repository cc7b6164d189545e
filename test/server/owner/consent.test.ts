import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { AnyRequest } from '../../../src/server/http/request-head.ts'
import { serveBins } from '../../../src/server/server.ts'
import { ORIGIN, requestWith, take } from '../../support/sites/http.ts'
import { openSite, SECRETS, valueIn } from '../../support/sites/requests.ts'
import { codedJson } from '../../support/wire.ts'

const bins = defineBins({
  cart: { schema: z.array(z.string()), default: [] },
  theme: { storage: 'cookie', default: 'light', consent: 'preferences' },
  history: { schema: z.array(z.string()), default: [], consent: 'preferences', browser: 'write' },
  campaign: { storage: 'cookie', browser: 'none', consent: 'marketing' },
})

const NAVIGATION = { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

/** A site whose visitors have given the consent that a header tells; `?` = that is not known. */
function openShop() {
  let asked = 0
  const consent = ({ headers }: AnyRequest) => {
    asked += 1
    const given = new Headers(headers as HeadersInit).get('x-consent') ?? ''
    return given === '?' ? undefined : given.split(' ')
  }
  const site = openSite(bins, { consent })
  const browser = site.openBrowser()

  async function visit<Result>(
    consent: string,
    use: (state: Awaited<ReturnType<typeof site.server.open>>) => Result,
    headers: Record<string, string> = NAVIGATION,
  ): Promise<Awaited<Result>> {
    const request = requestWith(browser.jar, '/', { headers: { ...headers, 'x-consent': consent } })
    const state = await site.server.open(request)
    const result = await use(state)
    take(browser.jar, await state.save(new Headers()))
    return result
  }

  return { ...site, browser, visit, asked: () => asked }
}

type State = Parameters<Parameters<ReturnType<typeof openShop>['visit']>[1]>[0]

async function setAll(state: State): Promise<void> {
  state.set('theme', 'dark')
  state.set('campaign', 'spring')
  await state.update('history', (history) => [...history, 'bread'])
}

const getAll = (state: State) => [state.get('theme'), state.get('campaign'), state.get('history')]
const ALL = ['dark', 'spring', ['bread']]
const NOTHING = ['light', undefined, []]

describe('bins that need consent', () => {
  it('live as long as the request before it is given', async () => {
    const { visit, store, browser } = openShop()
    const seen = await visit('', async (state) => {
      await setAll(state)
      expect(state.names().sort()).toEqual(['campaign', 'history', 'theme'])
      await state.update('history', (history) => [...history, 'milk'])
      state.set('campaign', null)
      return getAll(state)
    })
    expect(seen).toEqual(['dark', undefined, ['bread', 'milk']])
    expect([browser.jar.header(), store.calls]).toEqual(['', []])
    expect(await visit('', getAll)).toEqual(NOTHING)
  })

  it('are kept as soon as it is given, each category for itself', async () => {
    const { visit } = openShop()
    await visit('preferences', setAll)
    expect(await visit('preferences', getAll)).toEqual(['dark', undefined, ['bread']])
    await visit('preferences marketing', setAll)
    expect(await visit('preferences marketing', getAll)).toEqual(['dark', 'spring', ['bread', 'bread']])
  })

  it('are deleted when it is withdrawn, and no other', async () => {
    const { visit, browser } = openShop()
    await visit('preferences marketing', async (state) => {
      await setAll(state)
      state.set('cart', ['apple'])
    })
    expect(await visit('marketing', getAll)).toEqual(['light', 'spring', []])
    expect(valueIn(browser.jar, 'bb-theme')).toBe(undefined)
    expect(await visit('preferences marketing', (state) => [...getAll(state), state.get('cart')])).toEqual([
      'light',
      'spring',
      [],
      ['apple'],
    ])
  })

  it('are only not read by requests of which it is not known, and by those that must set no cookie', async () => {
    const { visit } = openShop()
    await visit('preferences marketing', setAll)
    expect(await visit('?', getAll)).toEqual(NOTHING)
    expect(await visit('', getAll, { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' })).toEqual(NOTHING)
    expect(await visit('preferences marketing', getAll)).toEqual(ALL)
  })

  it('ask the application once, and not for requests that do without them', async () => {
    const { server, browser, visit, asked } = openShop()
    await visit('preferences', async (state) => {
      await setAll(state)
      getAll(state)
    })
    expect(asked()).toBe(1)
    const state = await server.open(requestWith(browser.jar), ['cart'])
    state.set('cart', [])
    await state.save(new Headers())
    expect(asked()).toBe(1)
  })

  it('are not synced before it is given, but their deletions are', async () => {
    const { server, visit, browser } = openShop()
    await visit('preferences marketing', setAll)
    const sync = async (consent: string, n: number, change: object) => {
      const op = { n, bin: 'history', base: null, age: 0, sv: 1, ...change }
      const tag = valueIn(browser.jar, 'bb.o')
      const part = { owner: 'visitor', store: 'default', tag, cursor: null, ops: [op] }
      const request = requestWith(browser.jar, '/bins/sync', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'sec-fetch-site': 'same-origin',
          'x-consent': consent,
        },
        body: JSON.stringify({ v: 1, client: 'client', parts: [part] }),
      })
      const { parts } = (await (await server.fetch(request)).json()) as {
        parts: [{ results: [{ state: string }] }]
      }
      return parts[0].results[0].state
    }
    expect(await sync('', 1, { text: codedJson(['milk']) })).toBe('denied')
    expect(await sync('preferences', 2, { text: codedJson(['milk']) })).toBe('conflict')
    expect(await sync('', 3, { gone: true, base: null })).toBe('conflict')
  })

  it('are cleared with all others', async () => {
    const { visit } = openShop()
    const seen = await visit('', async (state) => {
      await setAll(state)
      await state.clear()
      return getAll(state)
    })
    expect(seen).toEqual(NOTHING)
  })

  it('need somebody to tell of it', () => {
    expect(() => serveBins(bins, { secrets: SECRETS })).toThrow(/^bin "theme": .*serveBins\(\{ consent \}\)/)
    expect(() => serveBins(defineBins({ draft: { storage: 'device', consent: 'x' } }))).not.toThrow()
  })

  it('can be all the bins that nobody defined', async () => {
    const open = defineBins({}, { others: { storage: 'cookie', consent: 'preferences' } })
    let given: string[] = ['preferences']
    const { server, openBrowser } = openSite(open, { consent: () => given })
    const { jar } = openBrowser()
    const state = await server.open(requestWith(jar))
    state.set('anything', 1)
    take(jar, await state.save(new Headers()))
    given = []
    const later = await server.open(new Request(ORIGIN, { headers: { ...NAVIGATION, cookie: jar.header() } }))
    expect(later.get('anything')).toBe(undefined)
    take(jar, await later.save(new Headers()))
    expect(jar.header()).toBe('')
  })
})

describe('consent that is no list', () => {
  it.each(['preferences', Promise.resolve(['preferences']), {}])('is refused: %s', async (given) => {
    const { server } = openSite(bins, { consent: () => given as never })
    const opening = server.open(new Request(ORIGIN, { headers: { ...NAVIGATION, cookie: 'bb-theme=x' } }))
    await expect(opening).rejects.toThrow(/^consent: pass a list/)
  })
})
