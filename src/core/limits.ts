/** Every number that both sides must agree on, with its unit and its source. */

/** Longest bin name, in UTF-8 bytes. */
export const MAX_NAME_BYTES = 64

/** Most keys on the path from the root of data to a value. Deeper trees are refused before anything recursive sees them. */
export const MAX_DEPTH = 32

/** Most digits of a bigint: parsing is quadratic in them. */
export const MAX_BIGINT_DIGITS = 1_000

/** Most values in one bin's data, at every depth: the shortest takes 2 bytes of a sync of 128 KiB. */
export const MAX_VALUES = 64 * 1_024

/**
 * Longest path to a value that JSON cannot express, its keys joined by dots. superjson's format repeats the path for each
 * such value: 2,400 of them below one 65 kB key grew 207 kB of text to 156 MB.
 */
export const MAX_PATH_LENGTH = 512

/** Most bytes of a cookie's name and value together, without the `=` (RFC 6265bis §5.6; Chromium and Firefox). */
export const MAX_COOKIE_BYTES = 4_096

/** Most bytes of all our cookies' names and values: nginx refuses a header line over 8 KiB by default. */
export const MAX_COOKIES_BYTES = 6 * 1_024

/** Longest cookie lifetime, in seconds: 400 days (RFC 6265bis §5.5; Chrome ≥ 104 caps it there). */
export const MAX_COOKIE_AGE = 400 * 86_400

/** Most bytes of one bin's text outside a cookie. */
export const MAX_BIN_BYTES = 16 * 1_024

/** Most bins with data in one record. */
export const MAX_BINS = 100

/** Most bytes of all live texts in one record. */
export const MAX_RECORD_BYTES = 64 * 1_024

/** Most bytes of one sync request. */
export const MAX_SYNC_BYTES = 128 * 1_024

/** Most ops in one sync request. */
export const MAX_OPS = 64

/** How long a `'session'` bin lives on the server without being written, in seconds. */
export const SESSION_IDLE = 86_400

/** Clients of which a record remembers the op numbers. */
export const MAX_CLIENTS = 32

/** Changes of which a record remembers the marks. */
export const MAX_MARKS = 16

/** Tombstones in a record. */
export const MAX_TOMBSTONES = 100

/** How long a tombstone is kept, in ms. */
export const TOMBSTONE_AGE = 90 * 86_400_000

/** How long a record without data is kept, in ms: a late write must still find it. */
export const EMPTY_AGE = 86_400_000

/** How long a record that nobody has written to is kept, in ms. */
export const BARE_AGE = 600_000

/** How long a cleared record is kept, in ms: no cookie outlives it. */
export const ERASED_AGE = MAX_COOKIE_AGE * 1_000
