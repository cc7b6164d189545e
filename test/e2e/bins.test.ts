import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { BROWSER_PLACES, READ_ONLY_PLACES } from '../suites/bins/places.ts'
import { type BinsCase, binsCases } from '../suites/bins.ts'
import { needs } from '../support/needs.ts'
import { launchBrowser, runIn, type TestBrowser } from '../support/pages/browser.ts'
import { bundle } from '../support/pages/browser-bundle.ts'
import { openSite, pageWith, type Site } from '../support/sites/http-site.ts'
import type { BinsPage } from './pages/bins.ts'

const SECRETS = [Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7)).toString('base64url')]

const chromium = needs('chromium')

let browser: TestBrowser
let site: Site
let script: string

if (chromium) {
  beforeAll(async () => {
    script = await bundle(new URL('./pages/bins.ts', import.meta.url))
    site = await openSite()
    browser = await launchBrowser(chromium)
  })

  afterAll(async () => {
    await browser.close()
    await site.close()
  })

  for (const [place, options] of Object.entries(BROWSER_PLACES)) {
    describe(`openBins in Chromium with ${place}`, () => runAll(place, binsCases({ place: options })))
  }

  for (const [place, options] of Object.entries(READ_ONLY_PLACES)) {
    describe(`openBins in Chromium with ${place}`, () => {
      runAll(place, binsCases({ place: options, readOnly: true }))
    })
  }
}

function runAll(place: string, cases: ReadonlyMap<string, BinsCase>): void {
  for (const [name, binsCase] of cases) it(name, () => runInPage(place, name, binsCase))
}

async function runInPage(place: string, name: string, binsCase: BinsCase): Promise<void> {
  site.answer = serve(binsCase)
  const profile = await browser.openProfile()
  try {
    const page = await profile.newPage()
    await page.goto(site.origin)
    const fault = await runIn(
      page,
      (...parameters) => (window as unknown as { binsPage: BinsPage }).binsPage.run(...parameters),
      place,
      name,
    )
    expect(fault).toBeUndefined()
  } finally {
    await profile.close()
  }
}

/** Serves the page, and the case's bins, by the clock of the page that asks. */
function serve({ bins, later = bins }: BinsCase): Site['answer'] {
  const store = memoryStore()
  let now = 0
  const options = { store, secrets: SECRETS, clock: () => now }
  const servers = { now: serveBins(bins, options), later: serveBins(later, options) }
  return async (request) => {
    if (!new URL(request.url).pathname.startsWith(bins.path)) return pageWith(script)
    now = Number(request.headers.get('x-now'))
    const program = request.headers.get('x-program') === 'later' ? 'later' : 'now'
    return servers[program].fetch(request)
  }
}
