import { readFileSync } from 'node:fs'
import type { BrowserContext, Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { launchBrowser, runIn } from '../../support/pages/browser.ts'
import type { Tab } from '../pages/tab.ts'
import { type Stage, settle, shown } from './stage.ts'

/** In a page. */
declare const tab: Promise<Tab>

const CSP = "default-src 'none'; script-src 'self'; connect-src 'self'"

/** What a page without a bundler does: the names of the bins are those of the server. */
const SCRIPT_TAG_PAGE = `
  window.violations = []
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
    // Firefox asks for it by itself.
    if (!blockedURI.endsWith('/favicon.ico')) violations.push(violatedDirective)
  })
  window.tab = breadbin
    .openBins(
      breadbin.defineBins({
        note: { browser: 'write' },
        theme: { storage: 'cookie', maxAge: '400d' },
        draft: { storage: 'device' },
      }),
    )
    .then((state) => ({ state }))`

/** Browsers and sites that allow less than others. */
export function strictCases(stage: Stage): void {
  it('hold bins in an ordinary window', async () => {
    // The profiles of all other tests in Chromium are private ones.
    await holdBins(stage, stage.name === 'chromium' ? stage.browser.profile : stage.profile)
  })

  it('hold bins in a private window, until it is closed', async () => {
    if (stage.name === 'chromium') return holdBins(stage, stage.profile)
    const browser = await launchBrowser(stage.executable, { name: stage.name, isPrivate: true })
    try {
      await holdBins(stage, browser.profile)
    } finally {
      await browser.close()
    }
  })

  it('work in the page where cookies are forbidden, and say that nothing is kept', async () => {
    const browser = await launchBrowser(stage.executable, { name: stage.name, blocksCookies: true })
    try {
      const page = await stage.openWindow('/', { profile: browser.profile })
      const found = await runIn(page, async () => {
        const { state } = await tab
        for (const bin of ['note', 'theme', 'draft'] as const) state.set(bin, 'text')
        for (const bin of ['count', 'clicks', 'steps'] as const) await state.update(bin, (n) => n + 1)
        const [refusal] = await Promise.allSettled([state.sync()])
        const { phase, pending, problem, storage } = state.status()
        return { refusal: refusal.status, phase, pending, problem, kind: storage.kind }
      })
      expect(found).toEqual({
        refusal: 'rejected',
        phase: 'paused',
        pending: 2,
        problem: 'cookies-blocked',
        kind: 'memory',
      })
      expect(await shown(page)).toMatchObject({
        note: 'text',
        theme: 'text',
        draft: 'text',
        count: 1,
        clicks: 1,
        steps: 1,
      })
    } finally {
      await browser.close()
    }
  })

  it('hold and follow bins of the script file under a strict Content-Security-Policy', async () => {
    const file = readFileSync(new URL('../../../dist/breadbin.min.js', import.meta.url))
    stage.site.answer = async (request) => {
      const { pathname } = new URL(request.url)
      const script = (body: BodyInit) =>
        new Response(body, { headers: { 'content-type': 'text/javascript' } })
      if (pathname === '/breadbin.min.js') return script(file)
      if (pathname === '/page.js') return script(SCRIPT_TAG_PAGE)
      if (pathname !== '/') return stage.answer(request)
      const html =
        '<!doctype html><title>Bins</title><script src="/breadbin.min.js"></script><script src="/page.js"></script>'
      return new Response(html, { headers: { 'content-type': 'text/html', 'content-security-policy': CSP } })
    }
    const [one, two] = [await stage.openWindow(), await stage.openWindow()]
    await editAndFollow(one, two)
    for (const page of [one, two]) {
      expect(await runIn(page, () => Reflect.get(window, 'violations'))).toEqual([])
    }
    expect(await stage.onServer()).toMatchObject({ note: 'text', theme: 'text' })
  })
}

async function holdBins(stage: Stage, profile: BrowserContext): Promise<void> {
  const one = await stage.openWindow('/', { profile })
  const two = await stage.openWindow('/', { profile })
  await editAndFollow(one, two)
  await one.reload()
  expect(await shown(one, ['note', 'theme', 'draft'])).toEqual({ note: 'text', theme: 'text', draft: 'text' })
  expect(await runIn(one, async () => (await tab).state.status().storage)).toEqual({ kind: 'indexeddb' })
  for (const page of [one, two]) await page.close()
}

async function editAndFollow(one: Page, two: Page): Promise<void> {
  await runIn(one, async () => {
    const { state } = await tab
    for (const bin of ['note', 'theme', 'draft'] as const) state.set(bin, 'text')
  })
  await settle(one)
  const held = { note: 'text', theme: 'text', draft: 'text' }
  await expect.poll(() => shown(two, Object.keys(held))).toEqual(held)
}
