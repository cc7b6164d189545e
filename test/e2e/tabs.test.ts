import type { BrowserContext, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type BinsServer, serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { needs } from '../support/needs.ts'
import { launchBrowser, runIn, type TestBrowser } from '../support/pages/browser.ts'
import { bundle } from '../support/pages/browser-bundle.ts'
import { openSite, pageWith, type Site } from '../support/sites/http-site.ts'
import { decodedJson } from '../support/wire.ts'
import type { Tab } from './pages/tab.ts'
import { tabBins } from './pages/tab-bins.ts'

/** In a page. */
declare const tab: Promise<Tab>

const chromium = needs('chromium')

let browser: TestBrowser
let site: Site
let script: string
let server: BinsServer<typeof tabBins>
let profile: BrowserContext

if (chromium) {
  beforeAll(async () => {
    script = await bundle(new URL('./pages/tab.ts', import.meta.url))
    site = await openSite()
    browser = await launchBrowser(chromium)
  })

  afterAll(async () => {
    await browser.close()
    await site.close()
  })

  beforeEach(async () => {
    server = serveBins(tabBins, { store: memoryStore() })
    site.answer = answer
    profile = await browser.openProfile()
  })

  afterEach(() => profile.close())

  describe('tabs of one browser', tabCases)
  describe('a database of the browser', databaseCases)
  describe('a cookie of the browser', cookieCases)
}

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url)
  if (pathname.startsWith(tabBins.path)) return server.fetch(request)
  if (pathname !== '/write') return pageWith(script)
  // A page request that writes.
  const state = await server.open(request)
  state.set('note', searchParams.get('note'))
  await state.update('count', (count) => count + 100)
  return state.save(pageWith(script))
}

/** Opens a tab, and waits until its bins are open. */
async function openTab(path = '/'): Promise<Page> {
  const page = await profile.newPage()
  await page.goto(site.origin + path)
  await runIn(page, async () => void (await tab))
  return page
}

/** Listens to all answers: what each visitor, by cookie, was told last that `count` is. */
function noteAcknowledged(): Map<string, number> {
  const counts = new Map<string, number>()
  site.answer = async (request) => {
    const response = await answer(request)
    const sent = /\bbb=[^;]+/.exec(request.headers.get('cookie') ?? '')?.[0]
    const made = response.headers.getSetCookie().find((line) => line.startsWith('bb='))
    const cookie = sent ?? made?.split(';')[0] ?? ''
    if (request.url.includes('/write')) counts.set(cookie, 100)
    if (!request.url.endsWith('/sync')) return response
    const { parts = [] } = await response.clone().json()
    for (const { results } of parts) {
      for (const { state, bin, text } of results)
        if (state === 'ok' && bin === 'count') counts.set(cookie, Number(decodedJson(text)))
    }
    return response
  }
  return counts
}

/** What a page request with a visitor's cookie finds. */
async function countOf(cookie: string): Promise<number> {
  return (await server.open(new Request(site.origin, { headers: { cookie } }))).get('count')
}

/** What a page request of this browser finds. */
async function onServer(): Promise<{ count: number; note: string | undefined }> {
  const cookies = await profile.cookies()
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const state = await server.open(new Request(site.origin, { headers: { cookie } }))
  return { count: state.get('count'), note: state.get('note') }
}

function tabCases(): void {
  it('keep what was acknowledged, when all write at once and a page request too, and nobody has a cookie', async () => {
    for (let round = 0; round < 10; round += 1) {
      await profile.close()
      profile = await browser.openProfile()
      const acknowledged = noteAcknowledged()
      const [one, two, three] = [await openTab(), await openTab(), await profile.newPage()]
      const add = async (amount: number) => {
        const { state } = await tab
        await state.update('count', (count) => count + amount)
        await state.sync()
      }
      await Promise.all([
        runIn(one, add, 1),
        runIn(two, add, 10),
        three.goto(`${site.origin}/write?note=request`),
      ])
      for (const page of [one, two]) await runIn(page, async () => void (await (await tab).state.sync()))
      // Each response to a request without a cookie makes a visitor, and the browser keeps the last one: nobody can
      // tell them apart. But what one of them was told is kept, and nothing is there twice.
      let sum = 0
      for (const [cookie, count] of acknowledged) {
        const kept = await countOf(cookie)
        expect(kept).toBeGreaterThanOrEqual(count)
        sum += kept
      }
      expect(String(sum)).toMatch(/^[01]{1,3}$/)
      for (const page of [one, two]) {
        const shown = await runIn(page, async () => (await tab).state.get('count'))
        expect(shown).toBe((await onServer()).count)
      }
    }
  })

  it('count every edit once, when all write at once and a page request too', async () => {
    const [one, two] = [await openTab('/write?note=first'), await openTab()]
    await runIn(two, async () => void (await (await tab).state.sync()))
    const add = async (amount: number) => {
      const { state } = await tab
      for (let update = 0; update < 5; update += 1) {
        await state.update('count', (count) => count + amount)
        await state.sync()
      }
    }
    const three = await profile.newPage()
    await Promise.all([
      runIn(one, add, 1),
      runIn(two, add, 10),
      three.goto(`${site.origin}/write?note=second`),
    ])
    for (const page of [one, two]) {
      const count = await runIn(page, async () => {
        const { state } = await tab
        await state.sync()
        return state.get('count')
      })
      expect(count).toBe(255)
    }
    expect((await onServer()).count).toBe(255)
  })

  it('count each update of a device bin once, and each of a cookie', async () => {
    const tabs = [await openTab(), await openTab(), await openTab()]
    const work = async () => {
      const { state } = await tab
      for (let update = 0; update < 20; update += 1) {
        await Promise.all([
          state.update('steps', (steps) => steps + 1),
          state.update('clicks', (clicks) => clicks + 1),
        ])
      }
    }
    await Promise.all(tabs.map((page) => runIn(page, work)))
    for (const page of tabs) {
      const counts = await runIn(page, async () => {
        const { state } = await tab
        await state.refresh()
        return [state.get('steps'), state.get('clicks')]
      })
      expect(counts).toEqual([60, 60])
    }
  })

  it('send the edits of a tab that was closed', async () => {
    const [one, two] = [await openTab(), await openTab()]
    await one.setOfflineMode(true)
    await runIn(one, async () => {
      const { state } = await tab
      state.set('note', 'of the closed tab')
      await state.save()
    })
    await one.close()
    await runIn(two, async () => {
      const { state } = await tab
      await state.refresh()
      await state.sync()
    })
    expect(await onServer()).toEqual({ count: 0, note: 'of the closed tab' })
  })

  it('keep what was edited offline over a reload, and send it then', async () => {
    const page = await openTab('/write?note=server')
    await page.goto(site.origin)
    await runIn(page, async () => void (await (await tab).state.sync()))
    await page.setOfflineMode(true)
    const offline = await runIn(page, async () => {
      const { state } = await tab
      state.set('note', 'offline')
      await state.update('count', (count) => count + 1)
      await state.save()
      const failed = await state.sync().then(
        () => 'sent',
        (error: { code: string }) => error.code,
      )
      return { failed, status: state.status() }
    })
    expect(offline).toMatchObject({ failed: 'SYNC_FAILED', status: { pending: 2, problem: 'offline' } })
    await page.setOfflineMode(false)
    await page.reload()
    const reloaded = await runIn(page, async () => {
      const { state } = await tab
      const shown = [state.get('note'), state.get('count')]
      await state.sync()
      return { shown, pending: state.status().pending }
    })
    expect(reloaded).toEqual({ shown: ['offline', 101], pending: 0 })
    expect(await onServer()).toEqual({ count: 101, note: 'offline' })
  })

  it('keep edits that were made before there was a visitor, when a page request makes one', async () => {
    let isBusy = true
    site.answer = async (request) =>
      isBusy && request.url.includes(tabBins.path) ? new Response(null, { status: 503 }) : answer(request)
    const page = await openTab()
    await runIn(page, async () => {
      const { state } = await tab
      await state.update('count', (count) => count + 1)
      await state.save()
    })
    await page.goto(`${site.origin}/write?note=request`)
    isBusy = false
    // The page that computed the edit might still be there to do so again: that is waited for.
    await expect.poll(onServer).toEqual({ count: 101, note: 'request' })
  })

  it('tell the page of errors in its listeners, and go on', async () => {
    const page = await openTab()
    const { errors, note } = await runIn(page, async () => {
      const { state, errors: caught } = await tab
      state.subscribe('note', () => {
        throw new Error('mine')
      })
      state.set('note', 'text')
      await state.save()
      return { errors: caught, note: state.get('note') }
    })
    expect(note).toBe('text')
    expect(new Set(errors)).toEqual(new Set(['Uncaught Error: mine']))
  })
}

function databaseCases(): void {
  it('is told of as what keeps the bins', async () => {
    const page = await openTab()
    expect(await runIn(page, async () => (await tab).state.status().storage)).toEqual({ kind: 'indexeddb' })
  })

  it('is replaced by localStorage where there is none', async () => {
    const page = await profile.newPage()
    await page.evaluateOnNewDocument(() => Object.defineProperty(window, 'indexedDB', { value: undefined }))
    await page.goto(site.origin)
    expect(await workElsewhere(page)).toMatchObject({
      kept: ['text', 1],
      synced: 1,
      storage: { kind: 'localstorage' },
    })
  })

  it('is replaced by localStorage where it may not be opened', async () => {
    const page = await profile.newPage()
    await page.evaluateOnNewDocument(() => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('denied', 'SecurityError')
      }
    })
    await page.goto(site.origin)
    const { kept, synced, storage } = await workElsewhere(page)
    expect([kept, synced]).toEqual([['text', 1], 1])
    expect(storage).toEqual({ kind: 'localstorage', reason: 'SecurityError: denied' })
  })

  it('is replaced by localStorage where the disk is full', async () => {
    const page = await profile.newPage()
    const client = await page.createCDPSession()
    await client.send('Storage.overrideQuotaForOrigin', { origin: site.origin, quotaSize: 1 })
    await page.goto(site.origin)
    const { kept, synced, storage } = await workElsewhere(page)
    expect([kept, synced]).toEqual([['text', 1], 1])
    expect(storage).toEqual({ kind: 'localstorage', reason: expect.stringContaining('QuotaExceededError') })
  })

  it('is made anew where it was deleted while the page was open', async () => {
    const page = await openTab()
    await runIn(page, async () => {
      const { state } = await tab
      await state.update('draft', () => 'before')
      await new Promise((resolve, reject) => {
        const deletion = indexedDB.deleteDatabase('breadbin-bb')
        deletion.onsuccess = resolve
        deletion.onerror = reject
      })
      await state.update('draft', () => 'after')
    })
    await page.reload()
    expect(await runIn(page, async () => (await tab).state.get('draft'))).toBe('after')
  })

  it('is not needed in a frame that may keep nothing at all', async () => {
    const page = await profile.newPage()
    site.answer = async (request) => {
      if (new URL(request.url).pathname === '/frame') return pageWith(script)
      return new Response('<!doctype html><iframe sandbox="allow-scripts" src="/frame"></iframe>', {
        headers: { 'content-type': 'text/html' },
      })
    }
    await page.goto(site.origin)
    const frame = page.frames().find((one) => one.url().endsWith('/frame'))
    if (!frame) throw new Error('the frame is not there')
    const found = await runIn(frame, async () => {
      const { state } = await tab
      state.set('theme', 'dark')
      state.set('draft', 'text')
      await state.update('clicks', (clicks) => clicks + 1)
      const { storage, problem } = state.status()
      return {
        kept: [state.get('theme'), state.get('draft'), state.get('clicks')],
        kind: storage.kind,
        problem,
      }
    })
    expect(found).toEqual({ kept: ['dark', 'text', 1], kind: 'memory', problem: 'not-kept' })
  })
}

/** Works with device and server bins in a page. */
function workElsewhere(page: Page) {
  return runIn(page, async () => {
    const { state } = await tab
    state.set('draft', 'text')
    await state.update('count', (count) => count + 1)
    await state.save()
    const { accepted } = await state.sync()
    const kept = [state.get('draft'), state.get('count')]
    return { kept, synced: accepted.length, storage: state.status().storage }
  })
}

function cookieCases(): void {
  it('has 4,096 bytes of name and value at most: Chromium keeps that many, and drops one more', async () => {
    const page = await openTab()
    const kept = await runIn(page, () => {
      return [4_096, 4_097].map((bytes) => {
        const name = `size-${bytes}`
        // biome-ignore lint/suspicious/noDocumentCookie: it is what is tested.
        document.cookie = `${name}=${'x'.repeat(bytes - name.length)}; path=/`
        return document.cookie.includes(name)
      })
    })
    expect(kept).toEqual([true, false])
  })

  it('is the same one whether a script or the server has written it', async () => {
    const page = await openTab()
    await runIn(page, async () => (await tab).state.set('theme', 'dark'))
    const [byScript] = await profile.cookies()
    site.answer = async (request) => {
      const state = await server.open(request)
      state.set('theme', 'dark')
      return state.save(new Response())
    }
    await page.goto(`${site.origin}/theme`)
    const [byServer, ...others] = await profile.cookies()
    expect(others).toEqual([])
    const { expires, value, ...attributes } = byScript ?? { expires: 0, value: '' }
    expect(byServer).toMatchObject(attributes)
    expect(attributes).toMatchObject({
      name: 'bb-theme',
      path: '/',
      sameSite: 'Lax',
      httpOnly: false,
      secure: false,
    })
    expect(value).toMatch(/^1\.1\.\w+\.\w+\.'\{'json':'dark'\}$/)
    expect(expires - Date.now() / 1_000).toBeGreaterThan(399 * 86_400)
  })

  it('holds the secret of the visitor out of the reach of scripts', async () => {
    const page = await openTab('/write?note=request')
    const names = (await profile.cookies()).map(({ name, httpOnly }) => [name, httpOnly])
    expect(names.sort()).toEqual([
      ['bb', true],
      ['bb.o', false],
    ])
    expect(await runIn(page, () => document.cookie)).toMatch(/^bb\.o=[\w-]{16}$/)
  })

  it('is told of as not kept where the browser keeps none', async () => {
    const page = await openTab()
    const client = await page.createCDPSession()
    await client.send('Emulation.setDocumentCookieDisabled', { disabled: true })
    const found = await runIn(page, async () => {
      const { state, events } = await tab
      state.set('theme', 'dark')
      const refused = await state.save().then(
        () => 'saved',
        (error: { code: string }) => error.code,
      )
      return { refused, theme: state.get('theme'), problem: state.status().problem, events }
    })
    expect(found).toEqual({
      refused: 'NOT_KEPT',
      theme: 'dark',
      problem: 'not-kept',
      events: [{ type: 'not-kept', bin: 'theme' }],
    })
  })
}
