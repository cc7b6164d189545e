/** What a store keeps under a key. */
export interface Stored {
  /** Moves with every write. A whole number > 0, chosen by the caller, never repeated in any life of a key. */
  readonly version: number
  /** The record, opaque to the store. Any well-formed string. */
  readonly text: string
  /** When the entry stops existing, in ms since the Unix epoch; `Infinity` = never. */
  readonly expires: number
}

/** Options of {@link Store.read}. */
export interface ReadOptions {
  /** The present, in ms since the Unix epoch: what expired at or before it is not there. */
  readonly now: number
  /** Bypasses every cache in between. Default `false`. */
  readonly fresh?: boolean
}

/** One page of {@link Store.scan}. */
export interface ScanPage {
  /** Key and entry of what was found. A key may come more than once over all pages. */
  readonly entries: Array<[string, Stored]>
  /** Where to go on; left out on the last page. */
  readonly cursor?: string
}

/**
 * Where the server persists records: a map from keys to versioned texts, with compare-and-set and expiry. It knows
 * nothing of bins. `storeSuite` of `breadbin/testing` checks an implementation.
 *
 * Missing and expired are answers, not errors: a method rejects only when the system behind it fails.
 */
export interface Store {
  /** Whether what was written survives the end of this process. */
  readonly durable: boolean
  /** Reads an entry; `undefined` if it is missing or expired. */
  read(key: string, options: ReadOptions): Promise<Stored | undefined>
  /**
   * Writes an entry if nobody else has since it was read.
   *
   * @param next What to keep. Its `version` is > `expected`.
   * @param expected Version that was read; 0 creates, also over an expired entry, and never replaces a live one.
   * @param now The present, in ms since the Unix epoch.
   * @returns `false` when the version has moved on, or the entry is gone or expired: nothing was written.
   * @throws TypeError if `next.expires` is not after `now`, or `next.version` not above `expected`.
   */
  write(key: string, next: Stored, expected: number, now: number): Promise<boolean>
  /**
   * Deletes an entry.
   *
   * @param expected Only this version; without it any (for administrative erasure only).
   * @returns Whether an entry was deleted. Deleting what is not there is no error.
   */
  delete(key: string, expected?: number): Promise<boolean>
  /**
   * Deletes at most `limit` expired entries and says how many; 0 where the system does that itself. A store that has no
   * list of what expires when looks at some times `limit` entries, and goes on behind them with the next call.
   */
  sweep(now: number, limit: number): Promise<number>
  /** Versions of those keys that are there and live, in one round trip. Optional power. */
  versions?(keys: readonly string[], now: number): Promise<Map<string, number>>
  /**
   * Lists entries page by page, in no particular order, expired ones included. Optional power.
   *
   * @param limit How many entries make a page; systems that look through buckets may answer some more.
   */
  scan?(cursor: string | undefined, limit: number): Promise<ScanPage>
  /** Ends what the store opened itself; a client that was handed in stays open. Later calls reject with `CLOSED`. */
  close?(): Promise<void>
}
