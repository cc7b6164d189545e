// Pages load this when they need it; loading takes real time, which no seed decides.
import '../../src/client/local.ts'
import { runPeople } from './people/run.ts'
import { runVisitors } from './visitors.ts'
import type { Run, RunOptions } from './world/world.ts'

/** Which seeds are about people who log in and out: every so many. */
const PEOPLE_EVERY = 10

/** Runs a seed: a site and browsers, steps that they take, faults that befall them, and at last quiet. */
export function run(seed: number, options: RunOptions): Promise<Run> {
  return seed % PEOPLE_EVERY === 0 ? runPeople(seed, options) : runVisitors(seed, options)
}
