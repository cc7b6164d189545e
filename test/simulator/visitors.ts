import { openProfile } from './browser/profile.ts'
import { openTab } from './browser/tab.ts'
import { drawHabits } from './habits.ts'
import { settleAndCheck } from './rest.ts'
import type { Scene } from './scene.ts'
import { tagOf } from './site/history.ts'
import { openSite } from './site/site.ts'
import { openVault } from './site/vault.ts'
import { STEPS } from './steps.ts'
import { openLife } from './world/life.ts'
import { openWorld, outcomeOf, type Run, type RunOptions } from './world/world.ts'

/** Most events of a run; one with more goes round in circles. */
const MAX_EVENTS = 60_000

const NAMES = ['ann', 'bob', 'cleo'] as const

/** Runs a seed: a site and browsers, steps that they take, faults that befall them, and at last quiet. */
export async function runVisitors(seed: number, { store, ...what }: RunOptions): Promise<Run> {
  const world = openWorld(seed, what)
  const { timeline, fate } = world
  const dice = fate.dice('run')
  const isOver = () => world.violation !== undefined || timeline.count > MAX_EVENTS
  const vault = await openVault(world, store, (key) => {
    const tag = tagOf(key)
    const now = timeline.now
    world.cleared.set(tag, now)
    const owners = profiles.filter(({ jar }) => jar.get('bb.o') === tag).map(({ name }) => name)
    world.ledger.excuse('cleared', ({ at, tags, profile }) => {
      return at <= now && (tags.includes(tag) || owners.includes(profile))
    })
  })
  const version = dice.pick([1, 2] as const)
  const site = openSite(world, vault, { processes: 1 + dice.below(3), version })
  const profiles = NAMES.slice(0, 1 + dice.below(3)).map((name) => openProfile(name, world))
  const habits = drawHabits(fate.dice('habits'), STEPS)
  const scene: Scene = { world, vault, site, profiles, habits }
  if (habits.isShared) await shareVisitor(scene)
  for (const profile of profiles) openTab(world, site, profile, version)

  const count = 10 + dice.below(40)
  let steps = 0
  while (steps < count && !isOver()) {
    steps += 1
    await takeStep(scene, steps, isOver)
  }
  if (!isOver()) await settleAndCheck(scene, isOver)
  if (timeline.count > MAX_EVENTS) world.violate('runs end', `there were ${timeline.count} events`)
  for (const profile of profiles) for (const tab of profile.tabs) tab.life.end()
  for (const process of site.processes) process.life.end()
  await vault.close()
  return {
    steps,
    ...outcomeOf(world),
  }
}

/** Has the first browser become a visitor, and all others become the same one. */
async function shareVisitor({ world, site, profiles }: Scene): Promise<void> {
  const [first, ...others] = profiles
  if (!first) return
  const answer = (request: Request) =>
    site.visit(request, async (state) => {
      state.set('plan', { id: 'first' })
    })
  const life = openLife(world.timeline)
  const asked = first.connection.send({ tab: first.name, life, path: '/', init: { method: 'POST' }, answer })
  asked.catch(() => {})
  await world.timeline.pass(1_000)
  for (const profile of others) {
    profile.jar.copyFrom(first.jar)
    profile.noteOwner()
  }
}

async function takeStep(scene: Scene, index: number, isOver: () => boolean): Promise<void> {
  const { fate, timeline } = scene.world
  const dice = fate.dice(`step ${index}`)
  const step = dice.pickWeighted(scene.habits.steps)
  const [least, most] = dice.pick(scene.habits.gaps)
  const gap = dice.between(least, most)
  if (!fate.takes(index, step.name)) return
  await timeline.pass(gap, isOver)
  if (!isOver()) await step.take(scene, dice)
}
