/** A table of rows on this device: small structured-cloneable values by string key. */
export interface Rows {
  /**
   * Reads all rows whose key begins with a prefix.
   *
   * @throws Whatever the browser says: a failed read is never an empty answer.
   */
  load(prefix: string): Promise<Map<string, unknown>>
  /**
   * Changes rows in one transaction, and returns all rows under the prefix after it. Resolves when they are kept; if it
   * rejects, nothing was changed, and nothing will be.
   *
   * @param step Says which rows to put, or, with `undefined`, to delete. Synchronous; may run twice.
   */
  change(
    prefix: string,
    step: (rows: ReadonlyMap<string, unknown>) => ReadonlyMap<string, unknown>,
  ): Promise<Map<string, unknown>>
  /** Lets go of the database. */
  close(): void
}
