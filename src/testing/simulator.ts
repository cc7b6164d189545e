import type { Store } from '../server/store.ts'
import { run } from './simulator/run.ts'
import { shrink } from './simulator/shrink.ts'
import type { Run } from './simulator/world.ts'

/** Options of {@link simulate}. */
export interface SimulateOptions {
  /** Opens an empty store; called several times for each seed. The simulation closes them. */
  readonly store: () => Store | Promise<Store>
  /** How many seeds to run. Default 100. */
  readonly seeds?: number
  /** The first seed. Default 1. */
  readonly from?: number
  /** Names of steps and faults that are not to happen, as a trace calls them. Default: none. */
  readonly without?: readonly string[]
  /** Told after each seed of the figures so far. */
  readonly onProgress?: (figures: SimulationFigures) => void
}

/** What a simulation has been through. */
export interface SimulationFigures {
  /** Seeds that were run. */
  readonly seeds: number
  /** Steps that users, devices and servers took. */
  readonly steps: number
  /** Edits that were made. */
  readonly edits: number
  /** Events on the simulated timelines: messages, transactions, timers. */
  readonly events: number
}

/** A rule of the protocol was broken in a simulation. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError'
  /** The seed: it always breaks the rule. */
  readonly seed: number
  /** The rule. */
  readonly rule: string
  /** What led to it, in plain words, with as few steps and faults as were found to be needed. */
  readonly trace: readonly string[]

  constructor(options: { seed: number; rule: string; what: string; trace: readonly string[] }) {
    const { seed, rule, what, trace } = options
    super(`Seed ${seed} breaks the rule "${rule}": ${what}.\n\n${trace.join('\n')}\n`)
    this.seed = seed
    this.rule = rule
    this.trace = trace
  }
}

/** How often a failing seed is run again to find out which of its steps and faults are needed. */
const MOST_TRIES = 600

/**
 * Runs Breadbin's own client and server in simulated browsers and processes, on real stores, in virtual time: with lost,
 * late and repeated requests, crashes, losses of power, clocks that are wrong, failovers, captive portals, and whatever
 * else befalls a site. Checks that all come to hold the same, and that no edit is lost without a word, or made twice.
 * A seed always gives the same run.
 *
 * ```ts
 * await simulate({ store: () => myStore(connect()), seeds: 1_000 })
 * ```
 *
 * @throws {@link SimulationError} for the first seed that breaks a rule.
 */
export async function simulate(options: SimulateOptions): Promise<SimulationFigures> {
  const { store, seeds = 100, from = 1, without, onProgress } = options
  let figures: SimulationFigures = { seeds: 0, steps: 0, edits: 0, events: 0 }
  for (let seed = from; seed < from + seeds; seed += 1) {
    const result = await run(seed, { store, without })
    if (result.violation) throw await explain(seed, result, { store, without })
    figures = {
      seeds: figures.seeds + 1,
      steps: figures.steps + result.steps,
      edits: figures.edits + result.edits,
      events: figures.events + result.events,
    }
    onProgress?.(figures)
  }
  return figures
}

/** Runs a seed again with less and less in it, as long as it breaks the same rule. */
async function explain(
  seed: number,
  first: Run,
  options: Pick<SimulateOptions, 'store'> & { without: readonly string[] | undefined },
): Promise<SimulationError> {
  const again = (part: readonly string[], isTraced = false) =>
    run(seed, { ...options, only: new Set(part), isTraced })
  const breaksIt = async (part: readonly string[]) => {
    const { violation } = await again(part)
    return violation?.rule === first.violation?.rule
  }
  const needed = await shrink(first.happened, breaksIt, MOST_TRIES)
  const { violation, trace } = await again(needed, true)
  const { rule, what } = violation ?? { rule: 'a seed always gives the same run', what: 'it did not' }
  return new SimulationError({ seed, rule, what, trace })
}
