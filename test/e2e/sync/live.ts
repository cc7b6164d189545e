import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { runIn } from '../../support/pages/browser.ts'
import type { Tab } from '../pages/tab.ts'
import { tabBins } from '../pages/tab-bins.ts'
import { type Stage, settle, shown, writeInRequest } from './stage.ts'

/** In a page. */
declare const tab: Promise<Tab>

/** Windows that follow each other and the server, without a reload. */
export function liveCases(stage: Stage): void {
  it('show what the other one has edited: in a cookie, on the device, on the server', async () => {
    const [one, two] = await openBoth(stage)
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      const text = from === one ? 'of the one' : 'of the other'
      await runIn(
        from,
        async (data) => {
          const { state } = await tab
          for (const bin of ['note', 'theme', 'draft'] as const) state.set(bin, data)
        },
        text,
      )
      await showsSoon(to, { note: text, theme: text, draft: text })
    }
  })

  it('show what a page request has written, and hold one stream of events for both', async () => {
    const streams = countStreams(stage)
    const pages = await openBoth(stage)
    for (const note of ['first', 'second', 'third']) {
      await writeInRequest(stage, { note })
      for (const page of pages) await showsSoon(page, { note })
    }
    expect(streams.opened).toBe(1)
  })

  it('go on to follow when the window with the stream is closed', async () => {
    const streams = countStreams(stage)
    const [one, two] = await openBoth(stage)
    await one.close()
    await expect.poll(() => streams.opened).toBe(2)
    await writeInRequest(stage, { note: 'to the one that is left' })
    await showsSoon(two, { note: 'to the one that is left' })
  })

  it('go on to follow when the server is another process', async () => {
    // Both have it open.
    const { close: _, ...store } = memoryStore()
    let server = serveBins(tabBins, { store })
    stage.site.answer = (request) =>
      new URL(request.url).pathname.startsWith(tabBins.path) ? server.fetch(request) : stage.answer(request)
    const pages = await openBoth(stage, '/?held')
    const former = server
    server = serveBins(tabBins, { store })
    await former.close()

    const state = await server.open(await stage.request())
    state.set('note', 'after the restart')
    await state.save(new Headers())
    for (const page of pages) await showsInTime(page, { note: 'after the restart' })
    await server.close()
  })

  it('follow by requests that wait, where something holds the stream back', async () => {
    const never = new Promise<Response>(() => {})
    let isHeld = false
    stage.site.answer = (request) => {
      const { pathname, search } = new URL(request.url)
      const isStream = pathname.endsWith('/events') && search === ''
      isHeld ||= isStream
      return isStream ? never : stage.answer(request)
    }
    const page = await stage.openWindow('/?held')
    await runIn(page, async () => (await tab).state.set('note', 'first'))
    await settle(page)
    await expect.poll(() => isHeld).toBe(true)
    await writeInRequest(stage, { note: 'past the proxy' })
    await showsInTime(page, { note: 'past the proxy' })
  })
}

/** Two windows of one visitor, of which one holds the stream. */
async function openBoth(stage: Stage, path = '/'): Promise<[Page, Page]> {
  const one = await stage.openWindow(path)
  await runIn(one, async () => (await tab).state.set('note', 'of the first window'))
  await settle(one)
  const locks = () => runIn(one, async () => (await navigator.locks.query()).held?.map(({ name }) => name))
  await expect.poll(locks).toContain('breadbin:bb:live')
  const two = await stage.openWindow(path)
  await showsSoon(two, { note: 'of the first window' })
  return [one, two]
}

function countStreams(stage: Stage): { opened: number } {
  const streams = { opened: 0 }
  stage.site.answer = (request) => {
    if (request.url.endsWith('/events')) streams.opened += 1
    return stage.answer(request)
  }
  return streams
}

async function showsSoon(page: Page, held: Record<string, unknown>): Promise<void> {
  await expect.poll(() => shown(page, Object.keys(held))).toEqual(held)
}

/** As soon as its timers, which are held, have called back often enough. */
async function showsInTime(page: Page, held: Record<string, unknown>): Promise<void> {
  const look = async () => {
    await runIn(page, async () => {
      for (const timer of (await tab).timers.waiting) timer.fire()
    })
    return shown(page, Object.keys(held))
  }
  await expect.poll(look).toEqual(held)
}
