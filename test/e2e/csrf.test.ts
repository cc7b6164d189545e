import type { BrowserContext, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { type BinsServer, serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { needs } from '../support/needs.ts'
import { launchBrowser, runIn, type TestBrowser } from '../support/pages/browser.ts'
import { openSite, type Site } from '../support/sites/http-site.ts'

const chromium = needs('chromium')
const bins = defineBins({ note: { schema: z.string(), browser: 'write' } })

/** What a page of another origin can do to ours. Each runs in that page. */
const ATTACKS: Record<string, (target: string) => unknown> = {
  'a fetch without CORS': (target) =>
    fetch(target, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"v":1}' }),
  'a fetch with CORS': (target) =>
    fetch(target, {
      method: 'POST',
      credentials: 'include',
      headers: { 'content-type': 'application/json' },
      body: '{"v":1}',
    }).catch(() => {}),
  'a beacon': (target) => navigator.sendBeacon(target, new Blob(['{"v":1}'], { type: 'text/plain' })),
  'a form in a frame': (target) =>
    new Promise((resolve) => {
      document.body.innerHTML = `<iframe name="frame"></iframe><form method="post" enctype="text/plain" target="frame" action="${target}"><input name='{"v":1,"x":"' value='"}'></form>`
      document.querySelector('iframe')?.addEventListener('load', resolve)
      document.querySelector('form')?.submit()
    }),
  'a form': (target) => {
    document.body.innerHTML = `<form method="post" enctype="text/plain" action="${target}"><input name='{"v":1,"x":"' value='"}'></form>`
    document.querySelector('form')?.submit()
  },
  'a link': (target) => {
    location.href = target
  },
  'an image': (target) =>
    new Promise((resolve) => {
      const image = new Image()
      image.onload = image.onerror = resolve
      image.src = target
    }),
  'an event stream': (target) =>
    new Promise((resolve) => {
      const source = new EventSource(target.replace('/clear', '/events'), { withCredentials: true })
      source.onmessage = resolve
      source.onerror = resolve
    }),
}

let browser: TestBrowser
let site: Site
let other: Site
let server: BinsServer<typeof bins>
let profile: BrowserContext
let page: Page
/** How the endpoint has answered. */
let statuses: number[] = []
/** Whether requests say where they come from, as those of older browsers do not. */
let saysWhere = true

if (chromium) {
  describe('a page of another origin', () => {
    beforeAll(async () => {
      browser = await launchBrowser(chromium)
      site = await openSite()
      other = await openSite()
    })

    afterAll(async () => {
      await browser.close()
      await site.close()
      await other.close()
    })

    beforeEach(async () => {
      statuses = []
      server = serveBins(bins, { store: memoryStore() })
      site.answer = answer
      other.answer = async () =>
        new Response('<!doctype html><body>', { headers: { 'content-type': 'text/html' } })
      profile = await browser.openProfile()
      page = await profile.newPage()
      await page.goto(`${site.origin}/write`)
    })

    afterEach(() => profile.close())

    // Cookies know no ports: to another port of the same host they are sent, whatever SameSite says.
    describe.each([
      ['the same site', () => other.origin],
      ['another site', () => other.origin.replace('127.0.0.1', 'localhost')],
    ])('on %s', (_, origin) => {
      describe.each([true, false])('with Sec-Fetch-Site: %s', (says) => {
        it.each(Object.keys(ATTACKS))('changes and learns nothing by %s', async (name) => {
          saysWhere = says
          await page.goto(origin())
          await runIn(page, ATTACKS[name] as (target: string) => unknown, `${site.origin}${bins.path}/clear`)
          await expect.poll(() => statuses.length).toBeGreaterThan(0)
          expect(statuses.filter((status) => status < 300)).toEqual([])
          // The other page may be on its way to an answer.
          const own = await profile.newPage()
          await own.goto(`${site.origin}/read`)
          expect(await own.$eval('body', (body) => body.textContent)).toBe('mine')
        })
      })
    })

    it('is no obstacle to a page of ours', async () => {
      saysWhere = true
      await page.goto(`${site.origin}/read`)
      const status = await runIn(
        page,
        async (path) =>
          (
            await fetch(path, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: '{"v":1}',
            })
          ).status,
        `${bins.path}/clear`,
      )
      expect(status).toBe(200)
      await page.goto(`${site.origin}/read`)
      expect(await page.$eval('body', (body) => body.textContent)).toBe('nothing')
    })
  })
}

async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname.startsWith(bins.path)) {
    const headers = new Headers(request.headers)
    if (!saysWhere) for (const name of [...headers.keys()]) if (name.startsWith('sec-')) headers.delete(name)
    const response = await server.fetch(new Request(request, { headers }))
    statuses.push(response.status)
    return response
  }
  const state = await server.open(request)
  if (pathname === '/write') state.set('note', 'mine')
  const html = `<!doctype html><body>${state.get('note') ?? 'nothing'}`
  return state.save(new Response(html, { headers: { 'content-type': 'text/html' } }))
}
