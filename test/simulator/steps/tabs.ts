import { openTab, type Tab } from '../browser/tab.ts'
import { pickProfile, pickTab, type Scene, type Step } from '../scene.ts'
import type { ProgramVersion } from '../world/bins.ts'

/** What users do with tabs. */
export const TAB_STEPS: readonly Step[] = [
  {
    name: 'open a tab',
    weight: 5,
    take(scene, dice) {
      const profile = pickProfile(scene, dice)
      if (profile.tabs.length < 3) openTab(scene.world, scene.site, profile, newestVersion(scene))
    },
  },
  {
    name: 'reload a tab',
    weight: 5,
    take(scene, dice) {
      const tab = pickTab(scene, dice)
      if (tab) reload(scene, tab)
    },
  },
  {
    name: 'close a tab',
    weight: 2,
    take(scene, dice) {
      const tab = pickTab(scene, dice)
      if (tab) leave(scene, tab, 'is closed')
    },
  },
  {
    name: 'crash a tab',
    weight: 3,
    take(scene, dice) {
      const tab = pickTab(scene, dice)
      if (!tab) return
      scene.world.trace.say(tab.name, () => 'crashes')
      end(scene, tab)
    },
  },
  {
    name: 'hide or show a tab',
    weight: 4,
    take(scene, dice) {
      const tab = pickTab(scene, dice)
      tab?.befall(tab.isVisible ? 'hidden' : 'shown')
    },
  },
  {
    name: 'go to another page',
    weight: 3,
    take(scene, dice) {
      const tab = pickTab(scene, dice)
      if (!tab) return
      if (tab.isVisible) tab.befall('hidden')
      tab.befall('left')
      tab.life.freeze()
    },
  },
  {
    name: 'come back to a page',
    weight: 3,
    take(scene, dice) {
      const tab = pickProfile(scene, dice).tabs.find(({ life }) => life.isFrozen)
      if (tab) comeBack(tab)
    },
  },
]

/** Ends a tab; what it had not stored may be lost. */
export function end({ world }: Scene, tab: Tab): void {
  const isInMemory = tab.bins?.status().storage.kind === 'memory'
  tab.life.end()
  world.ledger.excuse('its tab ended', (edit) => {
    return edit.by === tab.name && (edit.storedAt === undefined || isInMemory)
  })
}

/** Ends a tab as its user does. */
export function leave(scene: Scene, tab: Tab, how: string): void {
  scene.world.trace.say(tab.name, () => how)
  tab.befall('hidden')
  tab.befall('left')
  end(scene, tab)
}

/** Has a page go on that was left. */
export function comeBack(tab: Tab): void {
  tab.life.thaw()
  tab.befall('shown')
}

/** The newest version of the program that any process serves. */
export function newestVersion({ site }: Scene): ProgramVersion {
  return site.processes.some(({ version }) => version === 2) ? 2 : 1
}

/** Loads a page anew. */
export function reload(scene: Scene, tab: Tab): void {
  leave(scene, tab, 'is reloaded')
  openTab(scene.world, scene.site, tab.profile, newestVersion(scene))
}
