import { openTab } from './browser/tab.ts'
import { checkEdits } from './checks/edits.ts'
import { checkPages } from './checks/pages.ts'
import type { Scene } from './scene.ts'
import { comeBack, newestVersion, reload } from './steps/tabs.ts'

/** How long everything may take to come to rest, in ms. */
const PATIENCE_MS = 900_000

/** How often to look, in ms. */
const LOOK_MS = 15_000

/** Ends all faults, has everybody come to rest, and checks what has become of the edits. */
export async function settleAndCheck(scene: Scene, isOver: () => boolean): Promise<void> {
  const { world, vault, site, profiles } = scene
  const { timeline, fate, trace } = world
  fate.calm()
  vault.settle()
  trace.say('all', () => 'faults end')
  const newest = newestVersion(scene)
  site.processes.forEach(({ version }, index) => {
    if (version < newest) site.restart(index, newest)
  })
  for (const profile of profiles) {
    const { connection, tabs } = profile
    connection.isOnline = true
    connection.isCaptive = false
    connection.isLoggedOut = false
    if (tabs.length === 0) openTab(world, site, profile, newest)
    for (const tab of profile.tabs) {
      if (tab.version < newest) {
        reload(scene, tab)
        continue
      }
      comeBack(tab)
      tab.befall('online')
    }
  }
  let problems: readonly string[] = []
  for (let waited = 0; waited < PATIENCE_MS && !isOver(); waited += LOOK_MS) {
    await timeline.pass(LOOK_MS, isOver)
    problems = isOver() ? [] : await checkPages(scene)
    if (problems.length === 0) break
  }
  const [problem] = problems
  if (problem) world.violate('all pages and the server come to hold the same', problem)
  if (!isOver()) checkEdits(scene)
}
