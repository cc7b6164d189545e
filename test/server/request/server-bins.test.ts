import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import type { Bins } from '../../../src/core/bins.ts'
import { serveBins } from '../../../src/server/server.ts'
import { fileStore } from '../../../src/stores/file.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import type { Store } from '../../../src/stores/store.ts'
import type { BinsSuiteOptions } from '../../suites/bins.ts'
import { binsSuite, type Place } from '../../suites/bins.ts'
import { openCookieJar, requestWith, take } from '../../support/sites/http.ts'
import { SECRETS } from '../../support/sites/requests.ts'
import { temporaryFolders } from '../../support/stores/open-store.ts'

const COOKIES: Record<string, Place> = {
  'plain cookies': { options: { storage: 'cookie' } },
  'signed cookies': { options: { storage: 'cookie', browser: 'read' } },
  'sealed cookies': { options: { storage: 'cookie', browser: 'none' } },
}

const folders = temporaryFolders()

const STORES: Record<string, () => Store> = {
  memoryStore: () => memoryStore(),
  fileStore: () => fileStore(join(folders.make(), 'files')),
  sqliteStore: () => sqliteStore(join(folders.make(), 'bins.db')),
}

afterAll(() => folders.remove())

for (const [name, place] of Object.entries(COOKIES)) {
  describe(`serveBins with ${name}`, () => binsSuite(it, { place, open: openWith(() => memoryStore()) }))
}

for (const [name, store] of Object.entries(STORES)) {
  describe(`serveBins with ${name}`, () => {
    binsSuite(it, { place: { options: { storage: 'server' } }, open: openWith(store) })
  })
}

describe('serveBins with device bins', () => {
  binsSuite(it, {
    place: { options: { storage: 'device' } },
    readOnly: true,
    open: openWith(() => memoryStore()),
  })
})

/** Opens bins as the requests of one browser do, one after the other. */
function openWith(makeStore: () => Store): BinsSuiteOptions['open'] {
  return async ({ bins, later = bins }, clock) => {
    const store = limitCalls(makeStore())
    const options = { store, secrets: SECRETS, clock }
    const servers = { now: serveBins(bins, options), later: serveBins(later, options) }
    const own = openCookieJar(clock)

    async function openIn(jar: typeof own, server: 'now' | 'later' = 'now'): Promise<Bins> {
      const state = await servers[server].open(requestWith(jar))
      return { ...state, save: async () => void take(jar, await state.save(new Headers())) }
    }

    return {
      bins: await openIn(own),
      again({ later: isLater = false, restarted = false } = {}) {
        if (restarted) own.restart()
        return openIn(own, isLater ? 'later' : 'now')
      },
      stranger: () => openIn(openCookieJar(clock)),
      async close() {
        await store.close?.()
      },
    }
  }
}

/** A server that asks its store in a circle is to fail, and not to fill the memory. */
function limitCalls(store: Store): Store {
  let calls = 0
  function count(): void {
    calls += 1
    if (calls > 1_000) throw new Error('the store was called 1,000 times')
  }
  return {
    ...store,
    async read(key, options) {
      count()
      return store.read(key, options)
    },
    async write(key, next, expected, now) {
      count()
      return store.write(key, next, expected, now)
    },
  }
}
