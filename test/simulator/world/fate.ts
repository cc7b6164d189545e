import { type Dice, openDice } from './dice.ts'

/** How often each fault befalls what it can befall, at most; a seed picks how often in its run, and many never. */
const FAULTS = {
  'lost request': 0.3,
  'lost answer': 0.3,
  'repeated request': 0.2,
  'late request': 0.15,
  'late answer': 0.15,
  'no answer': 0.05,
  'cut answer': 0.15,
  'busy server': 0.15,
  'captive portal': 0.1,
  'lost message': 0.6,
  'failed read': 0.03,
  'failed write': 0.03,
  'hanging storage': 0.02,
  'full texts': 0.2,
  'lost store call': 0.1,
  'lost store answer': 0.1,
  'slow store': 0.03,
  'no channel': 0.3,
  'no locks': 0.3,
  'no texts': 0.3,
  'no live events': 0.4,
  'no cookie events': 0.5,
  'wrong clock': 0.4,
} as const

/** Something that can go wrong at many an occasion. */
export type Fault = keyof typeof FAULTS

/** What a seed has in store for a run. */
export interface Fate {
  /** The seed. */
  readonly seed: number
  /** Numbers for a name. */
  dice(name: string): Dice
  /** Whether a fault befalls what is named, once. */
  befalls(fault: Fault, whom: string): boolean
  /** Whether the n-th step is taken, by its name. */
  takes(index: number, step: string): boolean
  /** Ends all faults. */
  calm(): void
  /** Names of the faults and steps so far. */
  readonly happened: readonly string[]
}

/** Share of the runs in which a fault never happens. */
const NEVER = 0.6

/** What may happen in a run. */
export interface FateOptions {
  /** Names of the faults and steps that may happen, as {@link Fate.happened} lists them. Default: all. */
  readonly only?: ReadonlySet<string> | undefined
  /** Faults that never happen, and names of steps that are never taken. */
  readonly without?: readonly string[] | undefined
}

/** Opens the fate of a seed. */
export function openFate(seed: number, { only, without = [] }: FateOptions = {}): Fate {
  const weights = openWeights(seed)
  const happened: string[] = []
  let isCalm = false

  function note(name: string): boolean {
    if (only && !only.has(name)) return false
    happened.push(name)
    return true
  }

  return {
    seed,
    dice: (name) => openDice(seed, name),
    befalls(fault, whom) {
      const weight = weights.get(fault) ?? 0
      if (isCalm || weight === 0 || without.includes(fault)) return false
      const name = `${fault}: ${whom}`
      return openDice(seed, name).fraction() < weight && note(name)
    },
    takes: (index, step) => !without.includes(step) && note(`step ${index}: ${step}`),
    calm() {
      isCalm = true
    },
    happened,
  }
}

function openWeights(seed: number): Map<string, number> {
  const weights = new Map<string, number>()
  const dice = openDice(seed, 'weather')
  // Also where little goes wrong, something is to be found: what goes wrong rarely is not always covered up by more.
  const never = dice.pick([NEVER, NEVER, 0.85])
  for (const [fault, most] of Object.entries(FAULTS)) {
    const share = dice.fraction()
    weights.set(fault, share < never ? 0 : (most * (share - never)) / (1 - never))
  }
  return weights
}
