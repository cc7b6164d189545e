import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { runIn } from '../../support/pages/browser.ts'
import type { Tab } from '../pages/tab.ts'
import { ON_SERVER, type Stage, settle, shown, writeInRequest } from './stage.ts'

/** In a page. */
declare const tab: Promise<Tab>

/** What browsers have that ours can do without. */
const APIS = ['BroadcastChannel', 'locks', 'cookieStore', 'EventSource', 'localStorage', 'indexedDB']

/** Pages of browsers that lack something. */
export function missingCases(stage: Stage): void {
  it.each([...APIS.map((api) => [api]), APIS])(
    'without %s, windows and server come to hold the same',
    async (...missing) => {
      const open = () => stage.openWindow('/', { prepare: (page) => takeAway(page, missing) })
      const [one, two] = [await open(), await open()]
      expect(await runIn(one, hasAny, missing)).toBe(false)
      // The visitor is made by one of them.
      await edit(one, 1)
      await settle(one)
      for (let round = 0; round < 3; round += 1) {
        await Promise.all([edit(one, 1), edit(two, 10)])
        await writeInRequest(stage, { added: 100 })
      }
      await Promise.all([settle(one), settle(two)])
      await Promise.all([settle(one), settle(two)])

      const found = await stage.onServer()
      expect(found).toMatchObject({ count: 334, note: expect.any(String) })
      const isShared = !missing.includes('indexedDB')
      for (const page of [one, two]) {
        // Where nothing tells them, cookies and rows are read again when the page is shown again.
        await runIn(page, async () => (await tab).state.refresh())
        expect(await shown(page, ON_SERVER)).toEqual(found)
        if (isShared) expect(await shown(page, ['steps'])).toEqual({ steps: 34 })
      }
      if (isShared) expect(await shown(one, ['draft'])).toEqual(await shown(two, ['draft']))

      // In turns: Firefox's processes may disagree for good about a cookie that two of them write at the same moment.
      for (const [from, to] of [
        [one, two],
        [two, one],
      ] as const) {
        const text = from === one ? 'of the one' : 'of the other'
        await runIn(from, async (theme) => (await tab).state.set('theme', theme), text)
        await expect.poll(() => shown(to, ['theme'])).toEqual({ theme: text })
        expect(await stage.onServer()).toMatchObject({ theme: text })
      }
    },
  )

  it('without any of them, a window learns what the server has written when it is shown again, or after a while', async () => {
    const page = await stage.openWindow('/?held', {
      prepare: (opened) => takeAway(opened, APIS),
      type: 'tab',
    })
    await edit(page, 1)
    await settle(page)
    // Another tab hides it.
    await stage.openPage('/plain', { type: 'tab' })
    await expect.poll(() => runIn(page, () => document.visibilityState)).toBe('hidden')
    await writeInRequest(stage, { note: 'while it was away' })
    await page.bringToFront()
    await expect.poll(() => shown(page, ['note'])).toEqual({ note: 'while it was away' })

    await writeInRequest(stage, { note: 'after a while' })
    await expect
      .poll(async () => {
        await fireAll(page)
        return shown(page, ['note'])
      })
      .toEqual({ note: 'after a while' })
  })
}

/** Makes names of `window` or `navigator` as undefined as they are in a browser that lacks them. */
function takeAway(page: Page, names: readonly string[]): Promise<unknown> {
  return page.evaluateOnNewDocument(
    (all: readonly string[]) => {
      for (const name of all) {
        Object.defineProperty(name === 'locks' ? navigator : window, name, { value: undefined })
      }
    },
    [...names],
  )
}

function hasAny(names: readonly string[]): boolean {
  return names.some((name) => Reflect.get(name === 'locks' ? navigator : window, name) !== undefined)
}

/** Edits every bin that both windows edit. */
async function edit(page: Page, amount: number): Promise<void> {
  await runIn(
    page,
    async (added) => {
      const { state } = await tab
      const text = `${added} ${state.get('note')?.length ?? 0}`
      state.set('note', text)
      state.set('draft', text)
      await Promise.all([
        state.update('count', (count) => count + added),
        state.update('steps', (steps) => steps + added),
        state.save(),
      ])
    },
    amount,
  )
}

/** Lets every timer of a page call back that waits now. */
function fireAll(page: Page): Promise<void> {
  return runIn(page, async () => {
    const { timers } = await tab
    for (const timer of timers.waiting) timer.fire()
  })
}
