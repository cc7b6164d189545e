// @vitest-environment node
import { describe, it } from 'vitest'
import type { ClientBins } from '../../src/client/client-bins.ts'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { BROWSER_PLACES, READ_ONLY_PLACES } from '../suites/bins/places.ts'
import { type BinsSuiteOptions, binsSuite, type Place } from '../suites/bins.ts'
import { openTimers } from '../support/clock.ts'
import { openProfile, type Profile } from '../support/pages/page.ts'
import { fetchWith } from '../support/sites/http.ts'

const SECRETS = [Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7)).toString('base64url')]

const PLACES: Record<string, Place> = {
  ...BROWSER_PLACES,
  // There is no IndexedDB here.
  'device bins': { options: { storage: 'device' }, lasts: false },
}

for (const [name, place] of Object.entries(PLACES)) {
  describe(`openBins with ${name}`, () => binsSuite(it, { place, open: openIn(place) }))
}

for (const [name, place] of Object.entries(READ_ONLY_PLACES)) {
  describe(`openBins with ${name}`, () => binsSuite(it, { place, readOnly: true, open: openIn(place) }))
}

/** Opens bins as the pages of one browser do, one after the other, each synced before it is left. */
function openIn({ lasts = true }: Place): BinsSuiteOptions['open'] {
  return async ({ bins, later = bins }, clock) => {
    const store = memoryStore()
    const servers = {
      now: serveBins(bins, { store, secrets: SECRETS, clock }),
      later: serveBins(later, { store, secrets: SECRETS, clock }),
    }
    const opened = new Set<ClientBins>()
    const own = openProfile()

    async function openPage({ jar, open }: Profile, program: 'now' | 'later' = 'now'): Promise<ClientBins> {
      const definitions = program === 'now' ? bins : later
      const fetch = fetchWith(jar, servers[program].fetch)
      // Nothing happens by itself: each page is synced before it is left.
      const page = await open(definitions, { clock, fetch, timer: openTimers().start, wait: 1 })
      opened.add(page)
      return page
    }

    let page = await openPage(own)
    return {
      bins: page,
      async again({ later: isLater = false, restarted = false } = {}) {
        await page.sync()
        if (!lasts) {
          await page.refresh()
          return page
        }
        await page.close()
        if (restarted) own.jar.restart()
        page = await openPage(own, isLater ? 'later' : 'now')
        return page
      },
      stranger: () => openPage(openProfile()),
      async close() {
        for (const one of opened) await one.close()
      },
    }
  }
}
