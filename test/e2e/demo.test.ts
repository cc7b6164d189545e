import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import puppeteer, { type Browser, type BrowserContext, type HTTPResponse, type Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Demo, startDemo } from '../examples/start-demo.ts'
import { needs } from '../support/needs.ts'
import { readable } from '../support/wire.ts'

const chromium = needs('chromium')

if (chromium) {
  describe('the demo in Chromium', () => {
    let browser: Browser
    let demo: Demo
    let person: BrowserContext
    let page: Page
    /** What the browser complains about. */
    let complaints: string[] = []
    /** Everything that the page has sent: addresses, cookies and bodies. */
    let sent = ''

    beforeAll(async () => {
      const flags =
        '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
      browser = await puppeteer.launch({
        executablePath: chromium,
        headless: true,
        args: flags.split(' '),
        // Tall enough for the whole page: nothing to click is ever under the status at its bottom.
        defaultViewport: { width: 1_200, height: 2_400 },
      })
      demo = await startDemo()
    })

    afterAll(async () => {
      await browser?.close()
      await demo?.dispose()
    })

    beforeEach(async () => {
      complaints = []
      sent = ''
      person = await browser.createBrowserContext()
      page = await openPage()
      await visit()
    })

    afterEach(async () => {
      await person.close()
      expect(complaints).toEqual([])
      expect(demo.output.errors).toBe('')
    })

    /** While the server was stopped. */
    function complainsOfNothingButTheNetwork(): void {
      expect(complaints.filter((text) => !/net::ERR_(CONNECTION|EMPTY|INCOMPLETE)/.test(text))).toEqual([])
      complaints = []
    }

    async function openPage(): Promise<Page> {
      const opened = await person.newPage()
      opened.on('console', (message) => {
        if (['error', 'warn'].includes(message.type())) complaints.push(message.text())
      })
      opened.on('pageerror', (error) => complaints.push(String(error)))
      opened.on('request', (request) => {
        sent += `${request.url()} ${JSON.stringify(request.headers())} ${readable(request.postData() ?? '')}\n`
      })
      await opened.evaluateOnNewDocument(() => {
        document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
          // biome-ignore lint/suspicious/noConsole: It is how a complaint leaves the page.
          console.error(`${violatedDirective} forbids ${blockedURI}`),
        )
      })
      return opened
    }

    /** Opens the page, or reloads it, and waits for its script. Returns the server's answer. */
    async function visit(): Promise<HTTPResponse | null> {
      const response = await page.goto(demo.url)
      await page.waitForSelector('#sync:enabled')
      return response
    }

    async function htmlOf(response: HTTPResponse | null): Promise<string> {
      return ((await response?.text()) ?? '').replaceAll('\u00a0', ' ')
    }

    /** What the page shows in an element, as soon as it is this. */
    function shows(selector: string, text: string | RegExp, on = page): Promise<void> {
      const shown = expect.poll(() => on.$eval(selector, (element) => element.textContent ?? ''))
      return text instanceof RegExp ? shown.toMatch(text) : shown.toBe(text)
    }

    async function showsFacts(bin: string, facts: Record<string, string | RegExp>): Promise<void> {
      for (const [fact, text] of Object.entries(facts)) await shows(`#${bin} [data-fact="${fact}"]`, text)
    }

    async function isSynced(): Promise<void> {
      await shows('[data-status="phase"]', 'idle')
      await shows('[data-status="pending"]', '0')
      await shows('#summary', 'In sync with the server.')
    }

    /** The page as the server alone makes it, for the same person. */
    async function openWithoutScripts(): Promise<Page> {
      const opened = await openPage()
      await opened.setJavaScriptEnabled(false)
      await opened.goto(demo.url)
      return opened
    }

    /** By keyboard: what was pressed before may still be moving the page under a mouse. */
    async function press(selector: string, times = 1): Promise<void> {
      await page.focus(selector)
      for (let turn = 0; turn < times; turn += 1) await page.keyboard.press('Space')
    }

    it('keeps the theme in a cookie that the server reads before it sends a byte', async () => {
      await showsFacts('theme', { page: '"auto"', server: '"auto"', kept: 'nothing yet' })
      await press('[name="theme"][value="dark"]')

      await showsFacts('theme', {
        page: '"dark"',
        server: '"dark"',
        kept: /^cookie bb-theme · \d\d bytes$/,
        raw: /^bb-theme=1\.1\.\w+\.\w+\.'\{'json':'dark'\}$/,
      })
      expect(await page.$eval('html', (html) => getComputedStyle(html).colorScheme)).toBe('dark')
      expect(await htmlOf(await visit())).toContain('<html lang="en" data-theme="dark">')
      await shows('[name="theme"][aria-pressed="true"]', 'Dark')
    })

    it('keeps the region in a cookie: language and prices are in the server’s HTML', async () => {
      await page.focus('[name="region"][value="de-DE"]')
      await page.keyboard.press('Space')

      await shows('#greeting', 'Willkommen im Brotkasten')
      await shows('[data-price="sourdough"]', /^7,20.€$/)
      await showsFacts('region', { page: '"de-DE"', server: '"de-DE"', raw: /^bb-region=1\./ })
      const html = await htmlOf(await visit())
      expect(html).toContain('<h1 id="greeting" lang="de-DE">Willkommen im Brotkasten</h1>')
      expect(html).toContain('<span class="price" data-price="sourdough">7,20 €</span>')
    })

    it('keeps the cart in the server’s store, with a copy in the browser', async () => {
      await shows('#summary', 'Nothing to sync: the server knows you from the first loaf on.')
      await press('[aria-label="One Rye loaf more"]', 3)
      await press('[aria-label="One Rye loaf less"]')
      await press('[aria-label="One Pretzel more"]')
      await shows('#total', '$15.40')
      await isSynced()

      await showsFacts('cart', {
        page: '{"rye":2,"pretzel":1}',
        server: '{"rye":2,"pretzel":1}',
        kept: /^IndexedDB row s\/[\w-]{16}\/cart · \d+ bytes$/,
        raw: /^known: .*\\"rye\\":2/m,
      })
      expect(await htmlOf(await visit())).toContain('<output id="total">$15.40</output>')
      await shows('[data-pieces="rye"]', '2')
    })

    it('keeps the draft on the device, and sends it to nobody', async () => {
      await page.type('#note', 'Dark crust and no caraway')
      await showsFacts('draft', {
        page: '"Dark crust and no caraway"',
        kept: /^IndexedDB row d\/draft · \d+ bytes$/,
        raw: /Dark crust and no caraway/,
      })
      await press('[aria-label="One Rye loaf more"]')
      await isSynced()
      await visit()

      expect(await page.$eval('#note', (note) => (note as HTMLTextAreaElement).value)).toBe(
        'Dark crust and no caraway',
      )
      expect(sent).toContain('/bins/sync')
      expect(sent).not.toContain('caraway')
      for (const file of readdirSync(demo.data)) {
        expect(readFileSync(join(demo.data, file), 'latin1')).not.toContain('caraway')
      }
    })

    it('lets only the server change the plan', async () => {
      expect(await page.$eval('#forge', (forge) => (forge as HTMLButtonElement).disabled)).toBe(true)
      await press('#plan .main')
      await showsFacts('plan', {
        page: '"plus"',
        server: '"plus"',
        raw: /^bb-plan=1s\.1\.\w+\.\w+\.'\{'json':'plus'\}\.[\w-]{43}$/,
      })

      await press('#forge')
      await showsFacts('plan', { page: '"gold"', server: '"free"', raw: /'gold'\}\.[\w-]{43}$/ })
      await shows('#verdict', /The server reads “free”, and its log says .*"reason":"tampered"/)
      expect(demo.output.log).toContain("{ type: 'unreadable', bin: 'plan', reason: 'tampered' }")
      expect(await htmlOf(await visit())).toContain('<dd data-fact="server">&#34;free&#34;</dd>')

      await press('#plan .main')
      await showsFacts('plan', { page: '"plus"', server: '"plus"' })
      await shows('#verdict', '')
    })

    it('counts page views on the server only', async () => {
      await visit()
      await shows('#seen .number', '0')
      await showsFacts('seen', { kept: 'nothing yet' })
      await press('[aria-label="One Baguette more"]')
      await isSynced()
      await visit()
      await visit()

      await shows('#seen .number', '2')
      await showsFacts('seen', {
        page: 'nothing: not for browsers',
        server: '2',
        kept: 'the server’s store · 10 bytes',
      })
    })

    it('follows in every window what happens in one of them', async () => {
      const other = await openPage()
      await other.goto(demo.url)
      await other.waitForSelector('#sync:enabled')
      await page.bringToFront()
      await press('[aria-label="One Rye loaf more"]', 2)
      await press('[name="theme"][value="dark"]')
      await isSynced()

      await shows('[data-pieces="rye"]', '2', other)
      await shows('#theme [data-fact="page"]', '"dark"', other)
      await shows('[data-status="pending"]', '0', other)
    })

    it('tells what has become of an edit', async () => {
      await showsFacts('cart', { edit: 'none yet' })
      await press('#offline')
      await press('[aria-label="One Rye loaf more"]')
      await showsFacts('cart', { edit: 'kept here, waits for the server' })
      await press('#offline')
      await showsFacts('cart', { edit: 'the server has it' })
    })

    it('keeps everything over a restart of the server', async () => {
      await press('[name="theme"][value="light"]')
      await press('[name="region"][value="fr-FR"]')
      await press('[aria-label="One Sourdough more"]', 2)
      await page.type('#note', 'For Sunday')
      await press('#plan .main')
      await isSynced()
      await showsFacts('plan', { server: '"plus"' })
      await showsFacts('draft', { kept: /^IndexedDB/ })

      expect(await demo.stop()).toBe(0)
      await demo.start()

      const html = await htmlOf(await visit())
      expect(html).toContain('data-theme="light"')
      expect(html).toContain('Bienvenue dans la boîte à pain')
      expect(html).toContain('<output data-pieces="sourdough">2</output>')
      expect(html).toContain('<dd data-fact="server">&#34;plus&#34;</dd>')
      await showsFacts('cart', { page: '{"sourdough":2}', server: '{"sourdough":2}' })
      await showsFacts('draft', { page: '"For Sunday"' })
      await showsFacts('plan', { page: '"plus"', server: '"plus"' })
      await showsFacts('seen', { server: '1' })
      complainsOfNothingButTheNetwork()
    })

    it('works while the server is stopped, and catches up when it is back', async () => {
      await press('[aria-label="One Rye loaf more"]')
      await press('#plan .main')
      await isSynced()
      await showsFacts('plan', { server: '"plus"' })
      await demo.stop()

      await press('[aria-label="One Rye loaf more"]')
      await press('[aria-label="One Baguette more"]', 2)
      await press('[name="theme"][value="dark"]')
      await page.focus('[name="region"][value="pl-PL"]')
      await page.keyboard.press('Enter')
      await page.type('#note', 'Written while you were out')
      await shows('#greeting', 'Witamy w chlebaku')
      await shows('[data-pieces="rye"]', '2')
      await shows('[data-status="pending"]', '1')
      await shows('[data-status="problem"]', 'offline')
      await shows('#summary', 'The server does not answer. Your edits are safe here, and wait.')
      await showsFacts('theme', { page: '"dark"', server: 'no answer' })
      await showsFacts('draft', { kept: /^IndexedDB/ })
      await demo.start()

      await isSynced()
      await showsFacts('cart', {
        page: '{"rye":2,"baguette":2}',
        server: '{"rye":2,"baguette":2}',
      })
      await showsFacts('theme', { server: '"dark"' })
      const html = await htmlOf(await visit())
      expect(html).toContain('<output data-pieces="baguette">2</output>')
      expect(html).toContain('data-theme="dark"')
      expect(html).toContain('Witamy w chlebaku')
      expect(html).toContain('<dd data-fact="server">&#34;plus&#34;</dd>')
      await showsFacts('draft', { page: '"Written while you were out"' })
      await showsFacts('plan', { page: '"plus"', server: '"plus"' })
      await showsFacts('seen', { server: '1' })
      complainsOfNothingButTheNetwork()
    })

    it.each([
      // The page makes its edit again, on what the server has.
      ['the same page', () => press('#offline')],
      // It is not known any more what was pressed: the definition's `merge` tells the edits apart.
      ['the reloaded page', () => visit()],
    ])('merges, in %s, what was edited meanwhile', async (_, goOnline) => {
      await press('[aria-label="One Rye loaf more"]')
      await isSynced()
      await press('#offline')
      await press('[aria-label="One Pretzel more"]')
      await shows('[data-status="pending"]', '1')
      await shows('#summary', /does not answer/)

      const other = await openWithoutScripts()
      await Promise.all([other.waitForNavigation(), other.click('[aria-label="One Rye loaf more"]')])
      await shows('[data-pieces="rye"]', '2', other)
      await page.bringToFront()
      await goOnline()

      await isSynced()
      await showsFacts('cart', { page: '{"rye":2,"pretzel":1}', server: '{"rye":2,"pretzel":1}' })
      await other.reload()
      await shows('[data-pieces="pretzel"]', '1', other)
    })

    it('works without JavaScript', async () => {
      await page.close()
      page = await openWithoutScripts()
      const submit = (selector: string) => Promise.all([page.waitForNavigation(), page.click(selector)])

      await submit('[name="theme"][value="dark"]')
      await submit('[name="region"][value="de-DE"]')
      await submit('[aria-label="One Rye loaf more"]')
      await submit('[aria-label="One Rye loaf more"]')
      await submit('[aria-label="One Rye loaf less"]')
      await submit('#plan .main')

      expect(await page.$eval('html', (html) => html.dataset.theme)).toBe('dark')
      await shows('#greeting', 'Willkommen im Brotkasten')
      await shows('#total', /^5,85.€$/)
      await showsFacts('plan', { server: '"plus"' })
      await shows('#seen .number', '4')
      await shows('.notice', /JavaScript is off/)
      expect(await page.$eval('#status', (status) => getComputedStyle(status).display)).toBe('none')
    })

    it('forgets a person', async () => {
      await press('[name="theme"][value="dark"]')
      await press('[aria-label="One Rye loaf more"]')
      await page.type('#note', 'Forget this')
      await press('#plan .main')
      await isSynced()
      await showsFacts('plan', { server: '"plus"' })
      await press('#forget')

      const bins = { theme: '"auto"', cart: '{}', plan: '"free"' }
      for (const [bin, text] of Object.entries(bins)) {
        await showsFacts(bin, { page: text, server: text, kept: 'nothing yet' })
      }
      await showsFacts('draft', { page: '""', kept: 'nothing yet' })
      const html = await htmlOf(await visit())
      expect(html).toContain('data-theme="auto"')
      expect(html).toContain('<p class="number">0</p>')
      await shows('[data-pieces="rye"]', '0')
      expect((await person.cookies()).map(({ name }) => name)).toEqual([])
    })
  })
}
