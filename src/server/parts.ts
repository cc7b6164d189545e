import type { Definition, Definitions } from '../core/definition/definition.ts'
import type { OnEvent } from '../core/event.ts'
import type { CookieValues } from './cookies/cookie-codec.ts'
import type { AnyRequest, SiteOptions } from './http/request-head.ts'
import type { UserOptions } from './identity/user.ts'
import type { Mints } from './identity/visitor-limit.ts'
import type { Readings } from './records/decoded-cache.ts'
import type { Records } from './records/records.ts'
import type { Timer } from './timer.ts'

/**
 * What a request gets whose server bins cannot be read.
 *
 * `'error'`: `open` rejects. `'empty'`: their defaults; `loaded(name)` of server bins is `false`, and whatever writes one throws
 * `STORE_FAILED`.
 */
export type OnStoreDown = 'error' | 'empty'

/** What the parts of a server share. */
export interface ServerParts {
  /** Every bin of the application. */
  readonly definitions: Definitions
  /** The definition of each bin, and that of all others. */
  readonly all: readonly Definition[]
  /** Names and values of the cookies of bins. */
  readonly cookieValues: CookieValues
  /** Reads what is kept, and remembers it. */
  readonly readings: Readings
  /** Names of the stores in which bins live, the default store first. */
  readonly stores: readonly string[]
  /** Names of those in which bins of scope `'user'` live. */
  readonly userStores: readonly string[]
  /** Whether browsers see any of those bins. */
  readonly showsUserBins: boolean
  /** How the application says who is logged in. */
  readonly login: UserOptions
  /** Whether opening bins may have to do more than to read them. */
  readonly needsUpkeep: boolean
  /** What decides whether another visitor may be made. */
  readonly mints: Mints
  /** The longest that a visitor lives, in ms. */
  readonly visitorAge: number
  /** Records of a store, by its name. */
  readonly records: (store: string) => Records
  /** Where browsers find the site, as far as the configuration says so. */
  readonly site: SiteOptions
  /** Categories of consent that the visitor of a request has given, as far as they are known. */
  readonly consent: ((request: AnyRequest) => readonly string[] | undefined) | undefined
  /** What a request gets whose server bins cannot be read. */
  readonly onStoreDown: OnStoreDown
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** Random bytes, fit for secrets. */
  readonly random: (bytes: number) => Buffer
  /** A number from 0 to 1, 1 excluded. */
  readonly fraction: () => number
  /** Calls back after some ms. */
  readonly timer: Timer
  /** Receives what the owner may want to log or count. */
  readonly onEvent: OnEvent | undefined
}
