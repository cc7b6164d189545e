import type { Bins } from '../../../src/core/bins.ts'
import type { BinOptions, Definitions } from '../../../src/core/definition/definition.ts'
import type { Clock } from '../../support/clock.ts'

/** Where a side can keep bins. */
export interface Place {
  /** The options of a bin that is kept there. */
  readonly options: Pick<BinOptions, 'storage' | 'browser' | 'schema'>
  /** Whether it outlives the page: not so the memory that stands in for a browser's database. Default `true`. */
  readonly lasts?: boolean
}

/** Bins as one visitor has them, in a request or a page. */
export interface Visit {
  /** The bins. */
  readonly bins: Bins
  /**
   * Opens the same visitor's bins anew: in the next request, or after a reload. What was not saved is lost. Where
   * nothing outlives the page, the page reads all of it again.
   */
  again(options?: AgainOptions): Promise<Bins>
  /** Opens the bins of somebody who has never been here, with the same program. */
  stranger(): Promise<Bins>
}

/** Options of {@link Visit.again}. */
export interface AgainOptions {
  /** With the case's `later` definitions: another version of the program. */
  readonly later?: boolean
  /** After the browser was closed and started again. */
  readonly restarted?: boolean
}

/** One point of the contract. */
export interface BinsCase {
  /** The bins of the application. */
  readonly bins: Definitions
  /** The same in another version of the program. */
  readonly later?: Definitions
  /** Whether the place must outlive the page. */
  readonly needsLasting?: boolean
  /** Checks it. */
  run(visit: Visit, clock: Clock): Promise<void>
}

/** What must be true of bins in any place, by name. */
export type BinsCases = (place: Place) => Readonly<Record<string, BinsCase>>
