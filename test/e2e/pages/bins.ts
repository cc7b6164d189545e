/** The contract suite of `Bins` in a page: `bins.test.ts` serves it, and runs one case after the other. */

import type { ClientBins } from '../../../src/client/client-bins.ts'
import { openBins } from '../../../src/client/open-bins.ts'
import type { Definitions } from '../../../src/core/definition/definition.ts'
import { BROWSER_PLACES, READ_ONLY_PLACES } from '../../suites/bins/places.ts'
import { type BinsCase, binsCases, runCase, type Visit } from '../../suites/bins.ts'
import { type Clock, openTimers } from '../../support/clock.ts'

/** What a page of this suite can do. */
export interface BinsPage {
  /** Runs a case. Answers what is wrong, if anything is: no error's stack leaves the page with it. */
  run(place: string, name: string): Promise<string | undefined>
  /** Opens the bins of a case in this browser. */
  open(binsCase: BinsCase, clock: Clock): Promise<Visit & { close(): Promise<void> }>
}

type Program = 'now' | 'later'

declare const window: Window & { binsPage: BinsPage }
declare const cookieStore: {
  getAll(): Promise<Array<{ name: string; expires: number | null }>>
  delete(name: string): Promise<void>
}

window.binsPage = {
  async run(place, name) {
    const writable = BROWSER_PLACES[place]
    const options = writable
      ? { place: writable }
      : { place: READ_ONLY_PLACES[place] ?? { options: {} }, readOnly: true }
    const binsCase = binsCases(options).get(name)
    if (!binsCase) return `no case is called ${name}`
    return runCase(binsCase, open).then(() => undefined, String)
  },
  open,
}

async function open(binsCase: BinsCase, clock: Clock): Promise<Visit & { close(): Promise<void> }> {
  const { bins, later = bins } = binsCase
  let page = await openPage(bins, 'now', clock)
  return {
    bins: page,
    async again({ later: isLater = false, restarted = false } = {}) {
      await page.sync()
      await page.close()
      if (restarted) await endSession()
      page = isLater ? await openPage(later, 'later', clock) : await openPage(bins, 'now', clock)
      return page
    },
    async stranger() {
      const { binsPage } = await openOtherProfile()
      return (await binsPage.open(binsCase, clock)).bins
    },
    close: () => page.close(),
  }
}

/** Nothing happens by itself: each page is synced before it is left. The server goes by the page's clock. */
function openPage(definitions: Definitions, program: Program, clock: Clock): Promise<ClientBins> {
  return openBins(definitions, {
    clock,
    timer: openTimers().start,
    wait: 1,
    fetch: (path, init) => {
      const headers = { 'content-type': 'application/json', 'x-now': String(clock()), 'x-program': program }
      return fetch(path, { ...init, headers })
    },
  })
}

/** Deletes the cookies that end with the browser session. */
async function endSession(): Promise<void> {
  for (const { name, expires } of await cookieStore.getAll())
    if (expires === null) await cookieStore.delete(name)
}

/** A frame whose cookies and databases are nobody else's, and do not outlive it; this page may look into it. */
async function openOtherProfile(): Promise<{ binsPage: BinsPage }> {
  const frame = document.createElement('iframe')
  frame.setAttribute('credentialless', '')
  frame.src = '/'
  const loaded = new Promise((resolve) => frame.addEventListener('load', resolve))
  document.body.append(frame)
  await loaded
  // It has loaded the same page.
  return frame.contentWindow as Window & { binsPage: BinsPage }
}
