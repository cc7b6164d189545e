import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { isLong } from '../../support/long.ts'
import { runIn } from '../../support/pages/browser.ts'
import type { Tab } from '../pages/tab.ts'
import { isAtRest, type Stage, settle } from './stage.ts'

/** In a page. */
declare const tab: Promise<Tab>

/** Pages that edit, and go away at once. */
export function leaveCases(stage: Stage): void {
  it('all arrive, once each, 100 times', async () => {
    const page = await goRounds(stage, 100)
    await settle(page)
    expect(await stage.onServer()).toMatchObject({ count: 100, note: 'round 100' })
  })

  it('all arrive, once each, where the server answers only after the page is gone', async () => {
    const rounds = isLong ? 100 : 20
    let documents = 0
    let onDocument = () => {}
    stage.site.answer = async (request) => {
      const { pathname } = new URL(request.url)
      if (pathname === '/leaving') {
        documents += 1
        onDocument()
      }
      const answer = await stage.answer(request)
      // The last page does not go away.
      const own = documents
      if (pathname.endsWith('/sync') && own <= rounds) {
        await new Promise<void>((resolve) => {
          const before = onDocument
          onDocument = () => {
            before()
            resolve()
          }
        })
      }
      return answer
    }
    const page = await goRounds(stage, rounds)
    await settle(page)
    expect(await stage.onServer()).toMatchObject({ count: rounds, note: `round ${rounds}` })
  })

  it('arrive after coming back, where there was no network', async () => {
    const rounds = isLong ? 100 : 10
    const page = await stage.openWindow()
    for (let round = 0; round < rounds; round += 1) {
      await page.setOfflineMode(true)
      await leaveFor(page, 'about:blank', round % 2 === 0 ? 'at once' : 'on pagehide')
      await page.setOfflineMode(false)
      await page.goto(stage.site.origin)
    }
    await settle(page)
    expect(await stage.onServer()).toMatchObject({ count: rounds })
  })

  it('arrive where the window is closed at once, and another one is open', async () => {
    const other = await stage.openWindow()
    const rounds = isLong ? 100 : 5
    for (let round = 0; round < rounds; round += 1) {
      const page = await stage.openWindow()
      await runIn(page, async () => {
        const { state } = await tab
        void state.update('count', (count) => count + 1)
      })
      await page.close()
    }
    await runIn(other, async () => void (await (await tab).state.refresh()))
    expect(await countIn(other)).toBe(rounds)
    await settle(other)
    expect(await stage.onServer()).toMatchObject({ count: rounds })
  })
}

/** Opens the page that edits and goes away, and waits until it has done so that often. */
async function goRounds(stage: Stage, rounds: number): Promise<Page> {
  const arrived = stage.says('arrived')
  const page = await stage.openPage(`/leaving?rounds=${rounds}`)
  await arrived
  await isAtRest(page)
  return page
}

async function leaveFor(page: Page, url: string, when: 'at once' | 'on pagehide'): Promise<void> {
  await runIn(
    page,
    async (to, moment) => {
      const { state } = await tab
      const edit = () => void state.update('count', (count) => count + 1)
      if (moment === 'on pagehide') window.addEventListener('pagehide', edit)
      // The answer has to leave the page before the page is left.
      setTimeout(() => {
        if (moment === 'at once') edit()
        location.href = to
      })
    },
    url,
    when,
  )
  await page.waitForFunction((to: string) => location.href === to, {}, url)
}

function countIn(page: Page): Promise<number> {
  return runIn(page, async () => (await tab).state.get('count'))
}
