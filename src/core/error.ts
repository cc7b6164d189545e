/**
 * Stable across minor and patch releases; messages may change. `docs/errors.md` says for each one what happened
 * and what to do.
 */
export type BinsErrorCode =
  | 'INVALID_DATA' // the schema, or the codec, refused the data
  | 'UNKNOWN_BIN' // no definition has this name
  | 'READ_ONLY' // this side may not change this bin
  | 'TOO_LARGE' // the data is over the budget of its storage
  | 'OUTDATED' // a newer version of the definition wrote what is stored
  | 'HEAD_SENT' // the change needs a cookie and the response head has gone out
  | 'NO_VISITOR' // a visitor would be needed and this request may not create one
  | 'NO_USER' // the bin follows a user, and who that is is not known here
  | 'CONFLICT' // others kept changing the record until the time limit
  | 'GONE' // the record was cleared after this request opened it
  | 'NOT_KEPT' // this browser would not keep the data
  | 'STORE_FAILED' // the store could not read or write
  | 'STORE_TIMEOUT' // the store did not answer in time
  | 'SYNC_FAILED' // the server refused a sync or could not be reached
  | 'CLOSED' // the Bins, the server or the store was closed

/** One reason for which data was refused; the shape of a Standard Schema issue. */
export interface Issue {
  /** What is wrong, in words. Never contains the data. */
  readonly message: string
  /** Where, as keys from the data's root. */
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

/** What a {@link BinsError} carries besides its code and message. */
export interface BinsErrorOptions {
  /** Name of the bin concerned. */
  readonly bin?: string | undefined
  /** Why data was refused; only with `INVALID_DATA`. */
  readonly issues?: readonly Issue[] | undefined
  /** What failed underneath. */
  readonly cause?: unknown
}

/** Every failure that Breadbin reports. A mistake in the call itself is a `TypeError` instead, thrown at once. */
export class BinsError extends Error {
  override readonly name = 'BinsError'
  /** What happened; stable. */
  readonly code: BinsErrorCode
  /** Name of the bin concerned, if it is about one. */
  readonly bin: string | undefined
  /** Why data was refused; empty for other codes than `INVALID_DATA`. */
  readonly issues: readonly Issue[]

  constructor(code: BinsErrorCode, message: string, options: BinsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.bin = options.bin
    this.issues = options.issues ?? []
  }
}
