import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Duration } from './duration.ts'

/** Where a bin is kept: one cookie, the server's store, or this device. */
export type BinStorage = 'server' | 'cookie' | 'device'

/** Whose a bin is: the visitor's, which is a browser, or the user's who is logged in, on all devices. */
export type BinScope = 'visitor' | 'user'

/** Whom a signed or sealed cookie belongs to. */
export type BinOwner = 'none' | 'visitor' | 'user'

/** What the browser may do with a bin. */
export type BrowserAccess = 'write' | 'read' | 'none'

/**
 * Decides between two edits that were made without knowing of each other. Pure and synchronous; may run several
 * times. `undefined` stands for an absent bin.
 *
 * @param base What both edits started from.
 * @param mine The edit that came second.
 * @param theirs What is kept now.
 * @returns The data to keep, or `null` to delete the bin.
 */
export type Merge<Data> = (
  base: Data | undefined,
  mine: Data | undefined,
  theirs: Data | undefined,
) => Data | null

/** What a schema makes of data; `unknown` without one. */
export type SchemaOutput<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Schema>
  : unknown
/** What a schema takes. */
export type SchemaInput<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<Schema>
  : unknown

/** What a bin is. */
export interface BinOptions<Schema = unknown> {
  /**
   * Synchronous Standard Schema of the data. Its output is what is kept, sent, and validated again when read, so
   * the schema must accept its own output and leave it as it is. It must have one answer to the same data, whoever
   * sends them and whenever: the server remembers data that it has accepted. Default: any data that can be encoded.
   */
  schema?: Schema &
    (SchemaOutput<Schema> extends SchemaInput<Schema>
      ? unknown
      : { 'a schema must accept its own output': SchemaOutput<Schema> })
  /** Data of an absent bin. Default: the schema's answer to `undefined`, if it has one. */
  default?: SchemaOutput<Schema>
  /** Where the bin is kept. Default `'server'`. */
  storage?: BinStorage
  /** Name of the store of a server bin, a key of `stores` of `serveBins`. Default `'default'`. */
  store?: string
  /**
   * Whose a server bin is. A bin of `'user'` follows whoever is logged in, as `user` of `serveBins` tells, over all
   * devices; as long as nobody is, it is the visitor's, and the login merges it into the user's by the rule `merge`.
   * Default `'visitor'`.
   */
  scope?: BinScope
  /**
   * What the browser may do. Default `'write'`, and `'none'` for a server bin. A cookie bin with `'read'` is signed,
   * with `'none'` sealed; a device bin is always `'write'`.
   */
  browser?: BrowserAccess
  /**
   * Whom a signed or sealed cookie belongs to: whoever has it, the visitor who has got it, or the user who was logged in
   * then. For anybody else it is absent. Telling who that is takes what it takes for a server bin: the bin has to be opened,
   * and can only be set for a visitor who is known, or a user who is logged in. A user's cookie has to be sealed. Default
   * `'none'`.
   */
  bind?: BinOwner
  /**
   * Category of what this bin is for, such as `'preferences'`, that the visitor must have agreed to: until the application
   * says so, on each side, the bin lives as long as the page or the request and is kept nowhere. Default: it needs nobody's
   * consent.
   */
  consent?: string
  /**
   * Lifetime since the last write. `'session'`: until the browser closes (browsers that restore their windows
   * restore it too) and, for a server bin, at most 24 h without a write. Cookies live 400 days at most. Default
   * `'30d'`.
   */
  maxAge?: Duration | 'session'
  /**
   * What starts `maxAge` anew: writing the bin, also reading it, or nothing. Reading does so once a tenth of the time is
   * over, and on the server when the bin is opened in a navigation, in a request that is no GET, or in a sync: plain reads
   * set no cookie. Default `'write'`.
   */
  renew?: 'write' | 'read' | 'never'
  /**
   * What becomes of conflicting edits of a server bin: the latest edit wins, the server's wins, fields of plain
   * objects are merged one by one, or a function decides. Default `'latest'`.
   */
  merge?: 'latest' | 'server' | 'fields' | Merge<SchemaOutput<Schema>>
  /** Version of the data's shape, raised when the shape changes. Default 1. */
  version?: number
  /**
   * Turns data of an older `version` into data for the schema; the same data each time, as with `schema`. Default: older
   * data is validated as it is.
   */
  migrate?: (data: unknown, version: number) => unknown
  /** Here for the compiler: a bare schema is no definition. */
  '~standard'?: never
}

/** What both sides must agree on besides the bins. */
export interface DefinitionsOptions<Others = unknown> {
  /** Path of the sync endpoint. Default `'/bins'`. */
  path?: string
  /** How our cookies are named and scoped. */
  cookie?: CookieOptions
  /** Definition of every bin that is not named. Default: a name that is not defined is an error. */
  others?: BinOptions<Others>
}

/** How cookies are named and scoped. */
export interface CookieOptions {
  /** First part of every cookie's name: 1–16 characters out of `A–Z a–z 0–9`. Default `'bb'`. */
  prefix?: string
  /** `Domain` attribute: the cookies are shared with its subdomains. Default: this host only. */
  domain?: string
  /** `Path` attribute. Default `'/'`. */
  path?: string
  /** `SameSite` attribute. Default `'lax'`. */
  sameSite?: 'lax' | 'strict'
  /**
   * Whether pages of other sites show this one in frames: `SameSite=None; Secure; Partitioned` (CHIPS). Each of those sites
   * has a visitor of its own then. Default `false`.
   */
  embedded?: boolean
}

/** How cookies are named and scoped, with its defaults filled in. */
export interface CookieScope {
  /** First part of every cookie's name. */
  readonly prefix: string
  /** `Domain` attribute, if any. */
  readonly domain?: string
  /** `Path` attribute. */
  readonly path: string
  /** `SameSite` attribute; cookies with `'none'` are partitioned, and always `Secure`. */
  readonly sameSite: 'lax' | 'strict' | 'none'
}

/** A definition with its defaults filled in. */
export interface Definition {
  /** Name of the bin. */
  readonly name: string
  /** Schema of the data, if any. */
  readonly schema: StandardSchemaV1 | undefined
  /** Whether `default` was given. */
  readonly hasDefault: boolean
  /** Data of an absent bin as the definition states it. */
  readonly default: unknown
  /** Where the bin is kept. */
  readonly storage: BinStorage
  /** Name of the store of a server bin. */
  readonly store: string
  /** Whose the bin is. */
  readonly scope: BinScope
  /** What the browser may do. */
  readonly browser: BrowserAccess
  /** Whom a signed or sealed cookie belongs to. */
  readonly bind: BinOwner
  /** Category that the visitor must have agreed to, if any. */
  readonly consent: string | undefined
  /** Lifetime in seconds, or until the browser closes. */
  readonly maxAge: number | 'session'
  /** What starts `maxAge` anew. */
  readonly renew: 'write' | 'read' | 'never'
  /** What becomes of conflicting edits. */
  readonly merge: 'latest' | 'server' | 'fields' | Merge<unknown>
  /** Version of the data's shape. */
  readonly version: number
  /** Turns older data into today's. */
  readonly migrate: ((data: unknown, version: number) => unknown) | undefined
}

declare const types: unique symbol

/** Every bin of an application, as {@link defineBins} made it. */
export interface Definitions<Known = object, Others = unknown> {
  /** Here for the compiler: data by name, and the data of other names. */
  readonly [types]?: [Known, Others]
  /** Names of the defined bins. */
  readonly names: readonly string[]
  /** Definition of all other names, if they are allowed. */
  readonly others: Definition | undefined
  /** Path of the sync endpoint. */
  readonly path: string
  /** How cookies are named and scoped. */
  readonly cookie: CookieScope
  /**
   * Finds the definition of a bin.
   *
   * @throws {@link BinsError} `UNKNOWN_BIN`.
   */
  find(name: string): Definition
  /** Whether a name is defined. */
  knows(name: string): boolean
}

/** Names of bins that {@link Definitions} know. */
export type BinName<D> =
  D extends Definitions<infer Known, infer Others>
    ? (keyof Known & string) | ([Others] extends [never] ? never : string & {})
    : never

/** What `get` of a bin returns. */
export type BinData<D, Name> =
  D extends Definitions<infer Known, infer Others> ? (Name extends keyof Known ? Known[Name] : Others) : never
