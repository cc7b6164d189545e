import { expect, it } from 'vitest'
import { isLong } from '../../support/long.ts'
import { runIn } from '../../support/pages/browser.ts'
import type { Tally } from '../pages/restless.ts'
import type { Tab } from '../pages/tab.ts'
import { isAtRest, ON_SERVER, type Stage, settle, shown } from './stage.ts'

/** In a page. */
declare const tab: Promise<Tab>

/** Two windows that edit and reload at random. */
export function convergeCases(stage: Stage): void {
  const seeds = isLong ? [1, 2, 3] : [1]
  const edits = isLong ? 5_000 : 500

  it.each(seeds)(
    `hold the same after ${2 * edits} edits of the same and of different bins, with random reloads (seed %i)`,
    async (seed) => {
      const done = Promise.all([stage.says('done-first'), stage.says('done-second')])
      const pages = await Promise.all(
        [1, 2].map((tab) => stage.openPage(`/restless?tab=${tab}&edits=${edits}&seed=${2 * seed + tab}`)),
      )
      await done
      await Promise.all(pages.map(isAtRest))
      for (const page of [...pages, ...pages]) await settle(page)
      // Firefox's processes may disagree for good about a cookie that two of them have written at the same moment.
      for (const page of pages.slice(1)) await runIn(page, async () => (await tab).state.set('theme', 'last'))

      const tallies = await Promise.all(
        pages.map((page) => runIn(page, (): Tally => JSON.parse(sessionStorage.getItem('tally') ?? ''))),
      )
      const sum = (bin: keyof Tally['added']) => tallies.reduce((total, { added }) => total + added[bin], 0)
      const found = await stage.onServer()
      expect(found).toEqual({
        ...found,
        theme: 'last',
        first: tallies[0]?.mine,
        second: tallies[1]?.mine,
        count: sum('count'),
        clicks: sum('clicks'),
      })
      for (const page of pages) {
        await expect.poll(() => shown(page, ON_SERVER)).toEqual(found)
        await expect.poll(() => shown(page, ['steps'])).toEqual({ steps: sum('steps') })
      }
      const [first, second] = await Promise.all(pages.map((page) => shown(page)))
      expect(first).toEqual(second)
    },
  )
}
