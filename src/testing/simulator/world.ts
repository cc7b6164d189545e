import type { Fate } from './fate.ts'
import type { Ledger } from './ledger.ts'
import type { Timeline } from './timeline.ts'
import type { Trace } from './trace.ts'

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
  /** How wrong clocks can be, in ms, where the order of edits is judged. */
  clockError: number
  /** When visitors were cleared, or somebody was told so, in virtual time by tag. */
  readonly cleared: Map<string, number>
  /** Whether the store has ever lost writes. */
  hasFailedOver: boolean
  /** Whether the storage of a device has failed: pages have gone on with replicas of their own. */
  hasBrokenStorage: boolean
}

/**
 * Whether pages that have gone on by themselves may each have carried what they knew over to another visitor, since the
 * store had lost theirs: both copies count.
 */
export function mayHaveCopies({ hasBrokenStorage, hasFailedOver }: World): boolean {
  return hasBrokenStorage && hasFailedOver
}
