import type { Store } from '../../../src/stores/store.ts'
import { type Fate, type FateOptions, openFate } from './fate.ts'
import { type Ledger, openLedger } from './ledger.ts'
import { openTimeline, type Timeline } from './timeline.ts'
import { openTrace, type Trace } from './trace.ts'

/** Options of a run. */
export interface RunOptions extends FateOptions {
  /** Opens an empty store. */
  readonly store: () => Store | Promise<Store>
  /** Whether to say what happens. */
  readonly isTraced?: boolean
}

/** What came of a run. */
export interface Run {
  /** The first rule that was broken, if any was. */
  readonly violation: { readonly rule: string; readonly what: string } | undefined
  /** What happened; empty unless it was asked for. */
  readonly trace: readonly string[]
  /** Names of the steps and faults. */
  readonly happened: readonly string[]
  /** How many steps were taken. */
  readonly steps: number
  /** How many edits were made. */
  readonly edits: number
  /** How many events there were. */
  readonly events: number
}

/** What all parts of a simulation share. */
export interface World {
  /** Virtual time. */
  readonly timeline: Timeline
  /** What goes wrong. */
  readonly fate: Fate
  /** What happens, in plain words. */
  readonly trace: Trace
  /** The edits that were made. */
  readonly ledger: Ledger
  /** Notes that a rule was broken; the first one counts. */
  violate(rule: string, what: string): void
  /** The first rule that was broken, if any was. */
  readonly violation: Run['violation']
  /** How wrong clocks can be, in ms, where the order of edits is judged. */
  clockError: number
  /** When visitors were cleared, or somebody was told so, in virtual time by tag. */
  readonly cleared: Map<string, number>
  /** Whether the store has ever lost writes. */
  hasFailedOver: boolean
  /** Whether the storage of a device has failed: pages have gone on with replicas of their own. */
  hasBrokenStorage: boolean
  /** Whether somebody has ever deleted cookies. */
  hasDeletedCookies: boolean
}

/** When all runs begin: later than any real time. */
const START = Date.UTC(2035, 0, 1)

/** Opens the world of a seed. */
export function openWorld(seed: number, { isTraced = false, ...what }: Omit<RunOptions, 'store'>): World {
  const timeline = openTimeline(START)
  const trace = openTrace(isTraced, () => timeline.now)
  let violation: World['violation']
  return {
    timeline,
    fate: openFate(seed, what),
    trace,
    ledger: openLedger(),
    violate(rule, what) {
      violation ??= { rule, what }
      trace.say('VIOLATED', () => `${rule}: ${what}`)
    },
    get violation() {
      return violation
    },
    clockError: 5_000,
    cleared: new Map(),
    hasFailedOver: false,
    hasBrokenStorage: false,
    hasDeletedCookies: false,
  }
}

/** What has come of a run in a world. */
export function outcomeOf({ violation, trace, fate, ledger, timeline }: World): Omit<Run, 'steps'> {
  const { happened } = fate
  return { violation, trace: trace.lines, happened, edits: ledger.edits.length, events: timeline.count }
}

/**
 * Whether pages that have gone on by themselves may each have carried what they knew over to another visitor, since theirs
 * was lost: both copies count.
 */
export function mayHaveCopies({ hasBrokenStorage, hasFailedOver, hasDeletedCookies }: World): boolean {
  return hasBrokenStorage && (hasFailedOver || hasDeletedCookies)
}
