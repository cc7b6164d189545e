import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Browser,
  type BrowserContext,
  type EvaluateFunc,
  type Frame,
  type LaunchOptions,
  launch,
  type Page,
} from 'puppeteer-core'

/** The browsers that the tests run in. */
export type BrowserName = 'chromium' | 'firefox'

/** What a browser is started with. */
export interface BrowserSettings {
  /** Which one it is. Default Chromium. */
  name?: BrowserName
  /** Whether all its windows are private. Default false. */
  isPrivate?: boolean
  /** Whether its user forbids all sites to keep anything. Default false. */
  blocksCookies?: boolean
}

/** A running browser. */
export interface TestBrowser {
  /** The profile that it was started with: what its settings are about. */
  readonly profile: BrowserContext
  /** Id of its first process. */
  readonly pid: number
  /** Opens a browser profile of its own: cookies and databases of nobody else. */
  openProfile(): Promise<BrowserContext>
  /** Ends it, and removes what it has written. */
  close(): Promise<void>
}

/**
 * Starts a browser that talks to nobody but the tests' pages.
 *
 * @param executable What `needs` has found.
 */
export async function launchBrowser(
  executable: string,
  { name = 'chromium', isPrivate = false, blocksCookies = false }: BrowserSettings = {},
): Promise<TestBrowser> {
  const folder = mkdtempSync(join(tmpdir(), `breadbin-${name}-`))
  const settings = { folder, isPrivate, blocksCookies }
  const options = name === 'chromium' ? chromiumOptions(settings) : firefoxOptions(settings)
  const browser: Browser = await launch({ executablePath: executable, headless: true, ...options })
  return {
    profile: browser.defaultBrowserContext(),
    pid: browser.process()?.pid ?? 0,
    openProfile: () => browser.createBrowserContext(),
    async close() {
      await browser.close()
      // Its own processes may still be closing files.
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    },
  }
}

type Settings = Required<Omit<BrowserSettings, 'name'>> & { readonly folder: string }

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Each profile would come with a process for a page that no test opens.
  '--disable-features=SpareRendererForSitePerProcess',
]

function chromiumOptions({ folder, isPrivate, blocksCookies }: Settings): LaunchOptions {
  if (blocksCookies) {
    // 2 is "block" (components/content_settings/core/common/content_settings.h); there is no flag for it.
    const preferences = { profile: { default_content_setting_values: { cookies: 2 } } }
    mkdirSync(join(folder, 'Default'))
    writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences))
  }
  return {
    userDataDir: folder,
    args: [...CHROMIUM_FLAGS, ...(isPrivate ? ['--incognito'] : [])],
    ignoreDefaultArgs: ['--enable-automation'],
  }
}

function firefoxOptions({ folder, isPrivate, blocksCookies }: Settings): LaunchOptions {
  return {
    browser: 'firefox',
    userDataDir: folder,
    extraPrefsFirefox: {
      // Puppeteer turns the back/forward cache off.
      'fission.bfcacheInParent': true,
      ...(isPrivate ? { 'browser.privatebrowsing.autostart': true } : {}),
      ...(blocksCookies ? { 'network.cookie.cookieBehavior': 2 } : {}),
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
