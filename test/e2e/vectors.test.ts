import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs } from '../support/needs.ts'
import { launchBrowser, runIn, type TestBrowser } from '../support/pages/browser.ts'
import { bundle } from '../support/pages/browser-bundle.ts'
import { openSite, pageWith, type Site } from '../support/sites/http-site.ts'

/** In the page. */
declare const mismatches: { codec: string[]; cookie: string[] }

const chromium = needs('chromium')

let browser: TestBrowser
let site: Site

if (chromium) {
  beforeAll(async () => {
    const script = await bundle(new URL('./pages/vectors.ts', import.meta.url))
    site = await openSite()
    site.answer = async () => pageWith(script)
    browser = await launchBrowser(chromium)
  })

  afterAll(async () => {
    await browser.close()
    await site.close()
  })

  describe('the golden vectors in Chromium', () => {
    it('give the same bytes as in Node', async () => {
      const profile = await browser.openProfile()
      const page = await profile.newPage()
      await page.goto(site.origin)
      expect(await runIn(page, () => mismatches)).toEqual({ codec: [], cookie: [] })
      await profile.close()
    })
  })
}
