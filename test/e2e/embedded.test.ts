import type { BrowserContext, Frame, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import type { ClientBins } from '../../src/client/client-bins.ts'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { type BinsServer, serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { needs } from '../support/needs.ts'
import { launchBrowser, runIn, type TestBrowser } from '../support/pages/browser.ts'
import { bundle } from '../support/pages/browser-bundle.ts'
import { openSite, pageWith, type Site } from '../support/sites/http-site.ts'

const chromium = needs('chromium')

const definition = { note: { schema: z.string(), browser: 'write' }, theme: { storage: 'cookie' } } as const
const plain = defineBins(definition)

/** What `embedded-page.ts` leaves in the page. */
interface Opened {
  readonly opened: Promise<ClientBins<typeof plain>>
}

if (chromium) {
  let browser: TestBrowser
  let site: Site
  let outer: Site
  let client: string
  let profile: BrowserContext
  let page: Page

  beforeAll(async () => {
    browser = await launchBrowser(chromium)
    client = await bundle(new URL('./embedded-page.ts', import.meta.url))
  })

  afterAll(() => browser.close())

  beforeEach(async () => {
    site = await openSite()
    outer = await openSite()
    profile = await browser.openProfile()
    page = await profile.newPage()
  })

  afterEach(async () => {
    await profile.close()
    await site.close()
    await outer.close()
  })

  /** Serves the client, the sync endpoint, and a page that says what the server sees. */
  function serve(server: BinsServer<typeof plain>, options: object): void {
    site.answer = async (request) => {
      const { pathname } = new URL(request.url)
      if (pathname.startsWith('/bins/')) return server.fetch(request)
      if (pathname === '/page') return pageWith(`globalThis.cookie = ${JSON.stringify(options)};${client}`)
      const state = await server.open(request)
      return state.save(Response.json([state.get('note') ?? null, state.get('theme') ?? null]))
    }
  }

  /** A page of another site that shows ours in a frame. */
  async function embed(): Promise<Frame> {
    outer.answer = async () =>
      new Response(`<!doctype html><iframe src="${site.origin}/page"></iframe>`, {
        headers: { 'content-type': 'text/html' },
      })
    await page.goto(outer.origin.replace('127.0.0.1', 'localhost'))
    const frame = page.frames().find((each) => each.url() === `${site.origin}/page`)
    if (!frame) throw new Error('the page has no frame')
    return frame
  }

  /** Runs in the frame. */
  const write = async () => {
    const { opened } = globalThis as never as Opened
    const state = await opened
    state.set('theme', 'dark')
    state.set('note', 'mine')
    return state.sync().then(
      () => 'synced',
      ({ code }: { code: string }) => code,
    )
  }
  const readServer = async () => (await fetch('/state')).json()

  describe('a site in a frame of another site', () => {
    it('keeps nothing by default: browsers do not send its cookies', async () => {
      serve(serveBins(plain, { store: memoryStore() }), {})
      expect(await runIn(await embed(), write)).toBe('SYNC_FAILED')
      expect(await runIn(await embed(), readServer)).toEqual([null, null])
    })

    it('keeps its bins if it is embedded, apart from those that it has as a page of its own', async () => {
      const options = { cookie: { embedded: true } }
      serve(serveBins(defineBins(definition, options), { store: memoryStore() }), options)
      expect(await runIn(await embed(), write)).toBe('synced')
      expect(await runIn(await embed(), readServer)).toEqual(['mine', 'dark'])
      await page.goto(`${site.origin}/page`)
      expect(await runIn(page, readServer)).toEqual([null, null])
    })
  })

  describe('a page of another origin of the same site', () => {
    /** Opens a page whose server is at the site. */
    async function openApp(): Promise<void> {
      outer.answer = async () => pageWith(`globalThis.server = '${site.origin}';${client}`)
      await page.goto(outer.origin)
    }

    it('syncs if its origin is listed', async () => {
      serve(serveBins(plain, { store: memoryStore(), origins: [outer.origin] }), {})
      await openApp()
      expect(await runIn(page, write)).toBe('synced')
      await page.goto(`${site.origin}/page`)
      expect(await runIn(page, readServer)).toEqual(['mine', 'dark'])
    })

    it('does not otherwise', async () => {
      serve(serveBins(plain, { store: memoryStore() }), {})
      await openApp()
      expect(await runIn(page, write)).toBe('SYNC_FAILED')
    })
  })
}
