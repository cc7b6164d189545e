import type { BinData, BinName, Definitions } from './definition/definition.ts'

/**
 * The bins of one visitor: the same on both sides. Its methods are closures, so they can be taken out:
 * `const { get, set } = await openBins(bins)`.
 */
export interface Bins<D extends Definitions = Definitions> {
  /**
   * Returns the data of a bin: the same, deep-frozen object until the bin changes. An absent, expired, tampered with
   * or unreadable bin gives its default, else `undefined`.
   *
   * @throws {@link BinsError} `UNKNOWN_BIN`.
   */
  get<Name extends BinName<D>>(name: Name): BinData<D, Name>
  /**
   * Changes a bin; `null`, and nothing else, deletes it. `get` returns the new data at once.
   *
   * @throws {@link BinsError} `INVALID_DATA` with the schema's issues, `TOO_LARGE`, `READ_ONLY`, `OUTDATED`,
   * `UNKNOWN_BIN`; nothing is changed.
   * @throws TypeError for `undefined`.
   */
  set<Name extends BinName<D>>(name: Name, data: Exclude<BinData<D, Name>, undefined> | null): void
  /** Tells whether a bin holds data, other than its default. */
  has(name: BinName<D>): boolean
  /** Tells whether this side knows what is in a bin; until then `get` returns the default. */
  loaded(name: BinName<D>): boolean
  /**
   * Reads, changes and writes a bin as one step.
   *
   * @param change Computes the data to keep, or `null` to delete the bin. Synchronous and pure; may run several times.
   * @returns The data after the change.
   * @throws {@link BinsError} as `set` does.
   */
  update<Name extends BinName<D>>(
    name: Name,
    change: (data: BinData<D, Name>) => Exclude<BinData<D, Name>, undefined> | null,
  ): Promise<BinData<D, Name>>
  /**
   * Calls a listener at once and after each change of a bin, never twice for equal data.
   *
   * @returns Ends the subscription.
   */
  subscribe<Name extends BinName<D>>(name: Name, listener: (data: BinData<D, Name>) => void): () => void
  /** Resolves when every edit so far is kept. */
  save(): Promise<void>
  /** Deletes all bins of this visitor. */
  clear(): Promise<void>
  /** Names of the bins that hold data. */
  names(): string[]
}
