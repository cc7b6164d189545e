import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { runIn } from '../../support/pages/browser.ts'
import { descendantsOf, pauseProcess, threadsOf } from '../../support/processes.ts'
import type { Tab } from '../pages/tab.ts'
import { type Stage, settle, shown } from './stage.ts'

/** In a page. */
declare const tab: Promise<Tab>
declare const window: Window & { goesOn?: boolean }

/** Windows beside one that does nothing any more, whatever it holds: the system has stopped its process. */
export function stoppedCases(stage: Stage): void {
  it('edit, sync and open although it holds every lock and a transaction, and all converge when it goes on', async () => {
    const [stopped, one] = [await stage.openWindow(), await stage.openWindow('/?held')]
    await add(one, 1)
    await settle(one)
    await runIn(stopped, holdEverything)
    const resume = await stop(stage, stopped)
    try {
      const [two] = await Promise.all([stage.openWindow('/?held'), add(one, 10)])
      await sync(one)
      expect(await stage.onServer()).toMatchObject({ count: 11, clicks: 11 })
      await add(two, 100)
      await sync(two)
      expect(await stage.onServer()).toMatchObject({ count: 111, clicks: 111 })
      resume()
      await runIn(stopped, () => {
        window.goesOn = false
      })
      await add(stopped, 1_000)
      for (const page of [stopped, one, two]) await sync(page)
      for (const page of [stopped, one, two])
        await runIn(page, async () => void (await (await tab).state.refresh()))
      for (const page of [stopped, one, two]) {
        await expect.poll(() => shown(page, ['count', 'clicks'])).toEqual({ count: 1111, clicks: 1111 })
      }
      expect(await stage.onServer()).toMatchObject({ count: 1111, clicks: 1111 })
    } finally {
      resume()
    }
  })

  it('edit and sync when it was stopped in the middle of its own edits, which are neither lost nor counted twice', async () => {
    const [stopped, one] = [await stage.openWindow(), await stage.openWindow('/?held')]
    await add(one, 1)
    await settle(one)
    const edits = runIn(stopped, async () => {
      const { state } = await tab
      let added = 0
      for (window.goesOn = true; window.goesOn; added += 1) {
        await state.update('count', (count) => count + 1)
        if (added % 10 === 5) await state.sync().catch(() => {})
      }
      return added
    })
    await expect.poll(() => shown(one, ['count']).then(({ count }) => Number(count))).toBeGreaterThan(20)
    const resume = await stop(stage, stopped)
    try {
      for (let round = 0; round < 5; round += 1) await add(one, 1_000_000)
      await sync(one)
      expect(Number((await stage.onServer()).count)).toBeGreaterThan(5_000_000)
    } finally {
      resume()
    }
    await runIn(stopped, () => {
      window.goesOn = false
    })
    const added = await edits
    await settle(stopped)
    await sync(one)
    await settle(stopped)
    await runIn(one, async () => void (await (await tab).state.refresh()))
    const count = 5_000_001 + added
    for (const page of [stopped, one]) {
      await expect.poll(() => shown(page, ['count'])).toEqual({ count })
    }
    expect(await stage.onServer()).toMatchObject({ count })
  })
}

/** Adds to a bin in a cookie, and to one on the server. */
function add(page: Page, amount: number): Promise<void> {
  return runIn(
    page,
    async (added) => {
      const { state, timers } = await tab
      // Patience with other tabs, in windows whose timers are held.
      const stop = setInterval(() => {
        for (const timer of timers.waiting) if (timer.ms === 5_000) timer.fire()
      })
      await Promise.all([
        state.update('count', (count) => count + added),
        state.update('clicks', (clicks) => clicks + added),
      ])
      clearInterval(stop)
    },
    amount,
  )
}

function sync(page: Page): Promise<void> {
  return runIn(page, async () => {
    const { state, timers } = await tab
    const stop = setInterval(() => {
      for (const timer of timers.waiting) if (timer.ms === 5_000) timer.fire()
    })
    await state.sync()
    clearInterval(stop)
  })
}

/** Holds each lock of ours, and a transaction of our database, for as long as the page is told to. */
async function holdEverything(): Promise<void> {
  window.goesOn = true
  const isOver = new Promise<void>((resolve) => {
    const look = () => (window.goesOn ? setTimeout(look) : resolve())
    look()
  })
  for (const name of ['sync', 'live', 'bin:clicks']) {
    await new Promise<void>((resolve) => {
      const hold = () => {
        resolve()
        return isOver
      }
      void navigator.locks.request(`breadbin:bb:${name}`, { steal: true }, hold).catch(() => {})
    })
  }
  const database = await new Promise<IDBDatabase>((resolve) => {
    const opening = indexedDB.open('breadbin-bb', 1)
    opening.onsuccess = () => resolve(opening.result)
  })
  const table = database.transaction('rows', 'readwrite').objectStore('rows')
  await new Promise<void>((resolve) => {
    const again = () => {
      resolve()
      if (window.goesOn) table.get('').onsuccess = again
      else database.close()
    }
    again()
  })
}

/** Stops the process of a page. Returns what lets it go on. */
async function stop(stage: Stage, page: Page): Promise<() => void> {
  // It is the only page with a worker.
  await runIn(
    page,
    () => void Reflect.set(window, 'worker', new Worker('data:text/javascript,onmessage=()=>{}')),
  )
  const find = () =>
    descendantsOf(stage.browser.pid).filter((id) =>
      threadsOf(id).some((name) => name === 'DedicatedWorker' || name === 'DOM Worker'),
    )
  await expect.poll(() => find().length).toBe(1)
  const [pid = 0] = find()
  await pauseProcess(pid)
  return () => {
    process.kill(pid, 'SIGCONT')
  }
}
