import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { isLong } from '../../support/long.ts'
import { runIn } from '../../support/pages/browser.ts'
import type { Tab } from '../pages/tab.ts'
import { type Stage, settle } from './stage.ts'

/** In a page. */
declare const tab: Promise<Tab>

/** What a page takes of its browser. */
interface Use {
  /** Rows in our database. */
  readonly rows: number
  /** What they hold, as JSON, in bytes. */
  readonly bytes: number
  /** Entries of localStorage. */
  readonly texts: number
  /** What is in use of the JavaScript heap, in bytes; 0 in Firefox, which does not tell. */
  readonly heap: number
}

/** A page that edits over and over again. */
export function growthCases(stage: Stage): void {
  const edits = isLong ? 10_000 : 1_000

  it(`takes no more room after ${edits} edits than after a tenth of them, online and offline`, async () => {
    const page = await stage.openWindow()
    await edit(page, edits / 20)
    await settle(page)
    await page.setOfflineMode(true)
    await edit(page, edits / 20)
    await page.setOfflineMode(false)
    await settle(page)
    const early = await useOf(stage, page)

    await edit(page, edits * 0.45)
    await settle(page)
    await page.setOfflineMode(true)
    await edit(page, edits * 0.45)
    const offline = await useOf(stage, page)
    await page.setOfflineMode(false)
    await settle(page)
    const late = await useOf(stage, page)

    expect([late.rows, late.texts, offline.rows]).toEqual([early.rows, 0, early.rows])
    // Numbers in the rows get longer.
    expect(late.bytes).toBeLessThan(early.bytes + 200)
    // Of both bins the last 128 ops that may have been sent, of about 60 bytes.
    expect(offline.bytes).toBeLessThan(early.bytes * 5 + 2 * 128 * 60)
    expect(late.heap).toBeLessThan(early.heap + 1_000_000)
    expect(await stage.onServer()).toMatchObject({ count: edits / 2 })
  })
}

/** Half of the edits are of a bin on the server, half on the device. */
function edit(page: Page, edits: number): Promise<void> {
  return runIn(
    page,
    async (count) => {
      const { state } = await tab
      for (let made = 0; made < count; made += 2) {
        state.set('note', `of ${made}`)
        await Promise.all([state.update('count', (n) => n + 1), state.update('steps', (n) => n + 1)])
        if (made % 100 === 0) await state.sync().catch(() => {})
      }
    },
    edits,
  )
}

async function useOf(stage: Stage, page: Page): Promise<Use> {
  const kept = await runIn(page, async () => {
    const { state, events } = await tab
    await state.save()
    events.length = 0
    const database = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open('breadbin-bb', 1)
      opening.onsuccess = () => resolve(opening.result)
    })
    const rows = await new Promise<unknown[]>((resolve) => {
      const asking = database.transaction('rows').objectStore('rows').getAll()
      asking.onsuccess = () => resolve(asking.result)
    })
    database.close()
    return { rows: rows.length, bytes: JSON.stringify(rows).length, texts: localStorage.length }
  })
  return { ...kept, heap: stage.name === 'chromium' ? await heapOf(page) : 0 }
}

async function heapOf(page: Page): Promise<number> {
  const client = await page.createCDPSession()
  await client.send('HeapProfiler.collectGarbage')
  const { usedSize } = await client.send('Runtime.getHeapUsage')
  await client.detach()
  return usedSize
}
