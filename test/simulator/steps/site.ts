import type { Step } from '../scene.ts'

const MINUTE = 60_000

/** What befalls the site. */
export const SITE_STEPS: readonly Step[] = [
  {
    name: 'kill a process',
    weight: 2,
    take({ site }, dice) {
      const index = dice.below(site.processes.length)
      site.restart(index, site.processes[index]?.version)
    },
  },
  {
    name: 'deploy',
    weight: 1,
    take({ site }, dice) {
      site.restart(dice.below(site.processes.length), 2)
    },
  },
  {
    name: 'fail over',
    weight: 0.7,
    take: ({ vault }, dice) => vault.failOver(1 + dice.below(dice.pick([3, 30]))),
  },
  {
    name: 'set the clock of a process',
    weight: 0.7,
    take({ site, world }, dice) {
      const ms = dice.pick([5, 60, 1_440]) * MINUTE * dice.pick([-1, 1])
      site.moveClock(dice.below(site.processes.length), ms)
      world.clockError = Infinity
    },
  },
]
