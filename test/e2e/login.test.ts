import { join } from 'node:path'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs } from '../support/needs.ts'
import { ROOT } from '../support/run.ts'
import { findPort, type Started, startProgram } from '../support/servers/program.ts'

const chromium = needs('chromium')
const EXAMPLE = join(ROOT, 'examples/login')

if (chromium) {
  describe('the shop with a login, in Chromium', () => {
    let browser: Browser
    let shop: Started
    let url = ''

    beforeAll(async () => {
      const port = await findPort()
      url = `http://localhost:${port}/`
      const node = join(ROOT, 'node_modules/.bin/node')
      shop = await startProgram(node, [join(EXAMPLE, 'server.mjs')], {
        port,
        folder: EXAMPLE,
        env: { PORT: String(port) },
      })
      const flags =
        '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
      browser = await puppeteer.launch({ executablePath: chromium, headless: true, args: flags.split(' ') })
    })

    afterAll(async () => {
      await browser?.close()
      await shop?.stop()
    })

    /** A page of somebody's own browser. */
    async function openDevice(): Promise<Page> {
      const page = await (await browser.createBrowserContext()).newPage()
      await page.goto(url)
      return page
    }

    const pieces = (page: Page, bread: string) =>
      page.$eval(`[data-pieces="${bread}"]`, (element) => element.textContent)
    const add = (page: Page, bread: string) => page.click(`button[value="${bread}"]`)

    async function logIn(page: Page, user: string, password: string): Promise<void> {
      await page.type('[name=user]', user)
      await page.type('[name=password]', password)
      await Promise.all([page.waitForNavigation(), page.click('form[action="/login"] button')])
    }

    it('merges the carts of two devices, which follow each other live from then on', async () => {
      const [laptop, phone] = [await openDevice(), await openDevice()]
      await add(laptop, 'rye')
      await add(phone, 'rye')
      await add(phone, 'baguette')
      for (const page of [laptop, phone]) {
        await expect.poll(() => page.evaluate(() => document.cookie)).toContain('bb.o=')
      }
      await logIn(laptop, 'ann', 'rye')
      await logIn(phone, 'ann', 'rye')
      for (const page of [laptop, phone]) {
        await expect.poll(() => pieces(page, 'rye')).toBe('2')
        await expect.poll(() => pieces(page, 'baguette')).toBe('1')
      }
      await add(laptop, 'pretzel')
      await expect.poll(() => pieces(phone, 'pretzel')).toBe('1')
    })

    it('shows the next person at a shared computer nothing of the last one', async () => {
      const page = await openDevice()
      await add(page, 'sourdough')
      await expect.poll(() => page.evaluate(() => document.cookie)).toContain('bb.o=')
      await logIn(page, 'bob', 'pretzel')
      await expect.poll(() => pieces(page, 'sourdough')).toBe('1')
      await Promise.all([page.waitForNavigation(), page.click('form[action="/logout"] button')])
      expect(await pieces(page, 'sourdough')).toBe('0')
      const rows = () =>
        page.evaluate(async () => {
          const opening = indexedDB.open('breadbin-bb')
          await new Promise((resolve) => {
            opening.onsuccess = resolve
          })
          const getting = opening.result.transaction('rows').objectStore('rows').getAll()
          await new Promise((resolve) => {
            getting.onsuccess = resolve
          })
          opening.result.close()
          return JSON.stringify(getting.result)
        })
      await expect.poll(rows).not.toContain('"sourdough"')
      expect(await pieces(page, 'sourdough')).toBe('0')
    })
  })
}
