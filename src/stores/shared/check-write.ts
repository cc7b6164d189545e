/** What is checked of an entry; the shape of `Stored`. */
export interface Writable {
  readonly version: number
  readonly text: string
  readonly expires: number
}

/** Longest key of a store, in UTF-16 code units: what a `varchar(128)` surely holds. */
const MAX_KEY_LENGTH = 128

/**
 * Checks the arguments of `Store.write`. Every store calls it first, so that a mistake fails on each of them alike,
 * and not only on the one that happens to cut long keys or to round a version.
 *
 * @throws TypeError with what to do. Never contains the key or the text.
 */
export function checkWrite(key: string, next: Writable, expected: number, now: number): void {
  if (key.length < 1 || key.length > MAX_KEY_LENGTH || !key.isWellFormed()) {
    throw new TypeError(`key: pass a well-formed string of 1 to ${MAX_KEY_LENGTH} characters.`)
  }
  if (!Number.isSafeInteger(expected) || expected < 0) {
    throw new TypeError(`expected: ${expected} is no version; pass the one that was read, or 0 to create.`)
  }
  if (!Number.isSafeInteger(next.version) || next.version <= expected) {
    throw new TypeError(`version: ${next.version} must be a whole number above the expected ${expected}.`)
  }
  if (!(next.expires > now) || !(Number.isSafeInteger(next.expires) || next.expires === Infinity)) {
    throw new TypeError(
      `expires: ${next.expires} must be in whole ms since 1970 after the present, ${now}, or Infinity.`,
    )
  }
  // A lone surrogate has no UTF-8: it would come back as U+FFFD.
  if (!next.text.isWellFormed()) throw new TypeError('text: it contains a lone surrogate; escape it.')
}
