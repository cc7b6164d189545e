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
  /** Whether the storage of a device has failed: what was on its way then may be made twice. */
  hasBrokenStorage: boolean
}
