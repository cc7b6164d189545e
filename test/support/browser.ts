import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Browser,
  type BrowserContext,
  type EvaluateFunc,
  type Frame,
  launch,
  type Page,
} from 'puppeteer-core'

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A running Chromium. */
export interface TestBrowser {
  /** Opens a browser profile of its own: cookies and databases of nobody else. */
  openProfile(): Promise<BrowserContext>
  /** Ends it, and removes what it has written. */
  close(): Promise<void>
}

/**
 * Starts a Chromium that talks to nobody but the tests' pages.
 *
 * @param executable What `needs('chromium')` has found.
 */
export async function launchBrowser(executable: string): Promise<TestBrowser> {
  const folder = mkdtempSync(join(tmpdir(), 'breadbin-chromium-'))
  const browser: Browser = await launch({
    executablePath: executable,
    userDataDir: folder,
    args: ARGUMENTS,
    ignoreDefaultArgs: ['--enable-automation'],
  })
  return {
    openProfile: () => browser.createBrowserContext(),
    async close() {
      await browser.close()
      // Chromium's own processes may still be closing files.
      rmSync(folder, { recursive: true, maxRetries: 10, retryDelay: 100 })
    },
  }
}

/** Runs a function in a page. What it throws there is thrown here anew: no runner can make sense of a page's stack. */
export async function runIn<Parameters extends unknown[], Result>(
  page: Page | Frame,
  work: (...parameters: Parameters) => Result,
  ...parameters: Parameters
): Promise<Awaited<Result>> {
  try {
    // Its types allow for handles to objects in the page; these parameters are plain data.
    return (await page.evaluate(work as EvaluateFunc<Parameters>, ...parameters)) as Awaited<Result>
  } catch (error) {
    throw new Error(error instanceof Error ? `${error.name}: ${error.message}` : String(error))
  }
}
