import type { Profile } from './browser/profile.ts'
import type { Tab } from './browser/tab.ts'
import type { Habits } from './habits.ts'
import type { Site } from './site/site.ts'
import type { Vault } from './site/vault.ts'
import type { Dice } from './world/dice.ts'
import type { World } from './world/world.ts'

/** Everybody and everything in a run. */
export interface Scene {
  /** What they share. */
  readonly world: World
  /** The store. */
  readonly vault: Vault
  /** The processes. */
  readonly site: Site
  /** The browsers. */
  readonly profiles: readonly Profile[]
  /** What is usual. */
  readonly habits: Habits
}

/** Something that somebody does, or that befalls somebody. */
export interface Step {
  /** What it is called. */
  readonly name: string
  /** How often it comes, compared to others. */
  readonly weight: number
  /** Does it. Nothing, where it cannot be done. */
  readonly take: (scene: Scene, dice: Dice) => void | Promise<void>
}

/** Picks a browser. */
export function pickProfile({ profiles }: Scene, dice: Dice): Profile {
  return dice.pick(profiles)
}

/** Picks a tab that somebody can use, if there is one. */
export function pickTab(scene: Scene, dice: Dice): Tab | undefined {
  const tabs = pickProfile(scene, dice).tabs.filter(({ life, bins }) => bins && !life.isFrozen)
  return tabs.length === 0 ? undefined : dice.pick(tabs)
}
