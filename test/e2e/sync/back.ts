import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { runIn } from '../../support/pages/browser.ts'
import type { Tab } from '../pages/tab.ts'
import { type Stage, settle, shown, writeInRequest } from './stage.ts'

/** In a page. */
declare const tab: Promise<Tab>
declare const window: Window & { wasHere?: boolean }

/** A page that its user comes back to with the browser's back button. */
export function backCases(stage: Stage): void {
  // Firefox keeps no page whose last request has ended only as it was left: neither a stream, nor a sync.
  const keepsBusyPages = stage.name === 'chromium'

  it('is kept by the browser, and shows what was written meanwhile', async () => {
    const other = await openFollower(stage)
    const page = await stage.openWindow()
    await runIn(page, async () => {
      const { state } = await tab
      state.set('note', 'of the page')
      state.set('theme', 'light')
      state.set('draft', 'of the page')
    })
    await settle(page)
    await leave(page, stage)

    await runIn(other, async () => {
      const { state } = await tab
      state.set('theme', 'dark')
      state.set('draft', 'of the other window')
      await state.save()
    })
    await writeInRequest(stage, { note: 'of the server' })
    expect(await goBack(page)).toEqual({ isKept: true, reasons: null })
    await expect
      .poll(() => shown(page, ['note', 'theme', 'draft']))
      .toEqual({ note: 'of the server', theme: 'dark', draft: 'of the other window' })
    // It goes on to follow the server, and the other window.
    await writeInRequest(stage, { note: 'of the server again' })
    await expect.poll(() => shown(page, ['note'])).toEqual({ note: 'of the server again' })
    await runIn(other, async () => (await tab).state.set('draft', 'once more'))
    await expect.poll(() => shown(page, ['draft'])).toEqual({ draft: 'once more' })
  })

  it('shows what was written meanwhile also where it is the one that follows the server', async () => {
    const page = await openFollower(stage)
    await leave(page, stage)
    await writeInRequest(stage, { note: 'of the server' })
    expect(await goBack(page)).toEqual({ isKept: keepsBusyPages, reasons: null })
    await expect.poll(() => shown(page, ['note'])).toEqual({ note: 'of the server' })
    await writeInRequest(stage, { note: 'of the server again' })
    await expect.poll(() => shown(page, ['note'])).toEqual({ note: 'of the server again' })
  })

  it('is kept where it was left in the middle of an edit, which counts once', async () => {
    const page = await stage.openWindow()
    for (const amount of [1, 10]) {
      await leave(page, stage, amount)
      const { isKept } = await goBack(page)
      expect(isKept || !keepsBusyPages).toBe(true)
    }
    await settle(page)
    expect(await shown(page, ['count'])).toEqual({ count: 11 })
    expect(await stage.onServer()).toMatchObject({ count: 11 })
  })

  it('holds no lock and waits for none while it is away', async () => {
    const pages = [await stage.openWindow(), await stage.openWindow()]
    for (const page of pages) {
      await runIn(page, async () => (await tab).state.set('note', 'text'))
      await settle(page)
    }
    for (const page of pages) await leave(page, stage)
    for (const page of pages) {
      expect(await runIn(page, () => navigator.locks.query())).toEqual({ held: [], pending: [] })
    }
  })
}

/** Opens a window with a visitor, and waits until it is the one of this browser that follows the server. */
async function openFollower(stage: Stage): Promise<Page> {
  const page = await stage.openWindow()
  await runIn(page, async () => (await tab).state.set('note', 'first'))
  await settle(page)
  const locks = () => runIn(page, async () => (await navigator.locks.query()).held?.map(({ name }) => name))
  await expect.poll(locks).toContain('breadbin:bb:live')
  return page
}

/** Leaves a page, as a link does. It may add to `count` in the same breath. */
async function leave(page: Page, { site }: Stage, amount = 0): Promise<void> {
  const url = `${site.origin}/plain`
  await runIn(
    page,
    async (to, added) => {
      const { state } = await tab
      window.wasHere = true
      // The answer has to leave the page before the page is left.
      setTimeout(() => {
        if (added > 0) void state.update('count', (count) => count + added)
        location.href = to
      })
    },
    url,
    amount,
  )
  await page.waitForFunction((to: string) => location.href === to, {}, url)
}

/** Goes back. Tells whether the browser has kept the page as it was, and, in Chromium, why not. */
async function goBack(page: Page): Promise<{ isKept: boolean; reasons: unknown }> {
  await runIn(page, () => history.back())
  await page.waitForFunction(() => 'tab' in window)
  return runIn(page, async () => {
    const { restored } = await tab
    const isKept = window.wasHere === true
    while (isKept && !restored.includes(true)) {
      await new Promise((resolve) => window.addEventListener('pageshow', resolve, { once: true }))
    }
    restored.length = 0
    const [navigation] = performance.getEntriesByType('navigation')
    const { notRestoredReasons: why = null } = navigation as {
      notRestoredReasons?: { toJSON(): unknown } | null
    }
    return { isKept, reasons: why && JSON.stringify(why) }
  })
}
