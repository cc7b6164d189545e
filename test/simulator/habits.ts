import type { Step } from './scene.ts'
import { BIN_NAMES, type SimulatedBin } from './world/bins.ts'
import type { Dice } from './world/dice.ts'

/** What is usual in a run: each has its own, so that every few things come together often in some of them. */
export interface Habits {
  /** The steps, as often as they come in this run. */
  readonly steps: readonly Step[]
  /** The bins that are edited. */
  readonly bins: readonly SimulatedBin[]
  /** How often an edit takes something away. */
  readonly removals: number
  /** Least and most time between two steps, in ms; one of them comes each time. */
  readonly gaps: ReadonlyArray<readonly [least: number, most: number]>
  /** Whether all browsers are the same visitor's from the beginning. */
  readonly isShared: boolean
}

/** Draws the habits of a run. */
export function drawHabits(dice: Dice, steps: readonly Step[]): Habits {
  const bins = BIN_NAMES.filter(() => dice.fraction() < 0.5)
  return {
    steps: steps.map((step) => ({ ...step, weight: step.weight * dice.pick(WEIGHTS) })),
    bins: bins.length === 0 ? BIN_NAMES : bins,
    removals: dice.pick([0.05, 0.2, 0.5]),
    gaps: dice.pick(GAPS),
    isShared: dice.fraction() < 0.6,
  }
}

/** By how much steps come more or less often than usual. */
const WEIGHTS = [0, 0.3, 1, 1, 1, 1, 4]

/** In some runs many steps come before anything of the last one has been done, in others all comes to rest. */
const GAPS = [
  [
    [0, 5],
    [0, 60],
    [20, 1_500],
    [1_000, 20_000],
  ],
  [
    [0, 5],
    [0, 300],
  ],
  [
    [20, 3_000],
    [1_000, 60_000],
  ],
  [
    [0, 60],
    [60_000, 150_000],
  ],
] as const
