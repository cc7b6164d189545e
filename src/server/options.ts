import type { Bus } from '../buses/bus.ts'
import { check, checkKeys } from '../core/check.ts'
import type { Definition, Definitions } from '../core/definition/definition.ts'
import type { Duration } from '../core/definition/duration.ts'
import type { OnEvent } from '../core/event.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { deriveKeys, type Keys } from './cookies/keys.ts'
import { parseSecrets } from './cookies/signing-secrets.ts'
import type { AnyRequest, SiteOptions, TrustProxy } from './http/request-head.ts'
import type { UserOptions } from './identity/user.ts'
import type { MintOptions } from './identity/visitor-limit.ts'
import type { OnStoreDown } from './parts.ts'
import type { Timer } from './timer.ts'

/** Options of {@link serveBins}. */
export interface ServerOptions extends UserOptions, MintOptions {
  /** Where server bins are kept. Default outside production: this process's memory. */
  store?: Store
  /** Further stores, for bins whose definition names one. */
  stores?: Readonly<Record<string, Store>>
  /**
   * Secrets for signed and sealed cookies: base64url of 32 random bytes or more. The first signs, all verify, so that
   * one can be replaced while the site runs. Default: the environment's `BREADBIN_SECRETS`, separated by commas.
   */
  secrets?: readonly string[]
  /**
   * Where browsers find the site, such as `'https://example.org'`. Default: what each request says of itself, which a
   * proxy may distort.
   */
  origin?: string
  /**
   * Number of proxies between browsers and this process whose `Forwarded`, `X-Forwarded-Proto` and `X-Forwarded-Host` tell
   * where browsers find the site, or a function that says whether a request came by one: where a site has many names.
   * Default: these headers are ignored, since anybody can send them.
   */
  trustProxy?: TrustProxy
  /**
   * Further origins whose pages may sync, such as `'https://app.example.org'`, or `'capacitor://localhost'` of an app: the
   * endpoint answers them as CORS asks for. Default: none.
   */
  origins?: readonly string[]
  /**
   * Carries changes to the other processes of the site, so that their pages hear of them at once. Without one, they do
   * within 36 s, and those of this process at once.
   */
  bus?: Bus
  /**
   * Most pages that this process tells of changes at a time. Others get 503, and ask from time to time. Default 10,000.
   */
  maxStreams?: number
  /**
   * Tells which categories of consent the visitor has given, for bins with `consent`: all of them, or `undefined` where that is
   * not known. What was kept of a bin whose category is missing is deleted when a page opens it. Asked at most once for each
   * request.
   */
  consent?: (request: AnyRequest) => readonly string[] | undefined
  /** Receives what the owner may want to log or count. */
  onEvent?: OnEvent
  /** How long a write may keep losing against others, in ms, until it gives up with `CONFLICT`. Default 5,000. */
  casMs?: number
  /** How long a store may take to answer, in ms, until the call counts as failed. Default 5,000. */
  storeMs?: number
  /**
   * The longest that a visitor lives, however often it comes back: then it starts anew. Default: as long as it comes back
   * within the lifetime of its bins.
   */
  visitorAge?: Duration
  /**
   * What a request gets whose server bins cannot be read, since a store fails or does not answer in time. Nothing is
   * written for it then, whatever this says. Default `'error'`.
   */
  onStoreDown?: OnStoreDown
  /** The present, in ms since the Unix epoch. Default `Date.now`. */
  clock?: () => number
  /** Random bytes, fit for secrets. Default `node:crypto`'s. */
  random?: (bytes: number) => Buffer
  /** Calls back after some ms; what it returns takes the call back. Default `setTimeout`, which keeps no process running. */
  timer?: Timer
}

/** Where pages that an app brings along come from, such as `capacitor://localhost`: no URL of the web has such an origin. */
const APP_ORIGIN = /^(?!https?:)[a-z][a-z\d+.-]*:\/\/[a-z\d.-]+$/

/** The options that there are. */
const OPTIONS = Object.keys({
  store: true,
  stores: true,
  secrets: true,
  origin: true,
  origins: true,
  trustProxy: true,
  bus: true,
  maxStreams: true,
  user: true,
  label: true,
  consent: true,
  mintsPerMinute: true,
  onMint: true,
  onEvent: true,
  casMs: true,
  storeMs: true,
  visitorAge: true,
  onStoreDown: true,
  clock: true,
  random: true,
  timer: true,
} satisfies Record<keyof ServerOptions, true>)

/**
 * Checks what the types say, for those who have none.
 *
 * @throws TypeError
 */
export function checkServerOptions(definitions: Definitions, options: ServerOptions): void {
  check(typeof definitions?.find === 'function', 'serveBins', 'pass what defineBins() returned')
  checkKeys('serveBins', options, OPTIONS)
  for (const list of ['secrets', 'origins'] as const) {
    check(options[list] === undefined || Array.isArray(options[list]), list, 'pass a list')
  }
  for (const call of ['user', 'label', 'consent', 'onMint', 'onEvent'] as const) {
    check(options[call] === undefined || typeof options[call] === 'function', call, 'pass a function')
  }
  const { store, stores = {} } = options
  for (const [name, each] of Object.entries({ ...(store === undefined ? {} : { store }), ...stores })) {
    check(
      typeof each?.read === 'function' && typeof each.write === 'function',
      name === 'store' ? name : `stores: ${name}`,
      "pass a store, such as sqliteStore('bins.db')",
    )
  }
}

/**
 * Reads what the options say of where browsers find the site.
 *
 * @throws TypeError
 */
export function toSite({ origin, origins = [], trustProxy }: SiteOptions): SiteOptions {
  if (origin !== undefined && trustProxy !== undefined) {
    throw new TypeError('trustProxy: origin says already what browsers see; leave one of the two out.')
  }
  const isCount = Number.isSafeInteger(trustProxy) && Number(trustProxy) >= 0
  if (trustProxy !== undefined && typeof trustProxy !== 'function' && !isCount) {
    throw new TypeError(
      'trustProxy: pass the number of proxies, or a function that tells whether a request came by one.',
    )
  }
  return {
    origin: origin === undefined ? undefined : toOrigin('origin', origin),
    origins: origins.map((each) => (APP_ORIGIN.test(each) ? each : toOrigin('origins', each))),
    trustProxy,
  }
}

/**
 * Reads the `maxStreams` option.
 *
 * @throws TypeError
 */
export function toMaxStreams(maxStreams = 10_000): number {
  if (maxStreams >= 0) return maxStreams
  throw new TypeError('maxStreams: pass a number of streams, 0 for none.')
}

/**
 * Reads the `onStoreDown` option.
 *
 * @throws TypeError
 */
export function toOnStoreDown(onStoreDown: OnStoreDown = 'error'): OnStoreDown {
  if (['error', 'empty'].includes(onStoreDown)) return onStoreDown
  throw new TypeError("onStoreDown: pass 'error' or 'empty'.")
}

/**
 * Collects the stores by name.
 *
 * @throws TypeError if there is none for production.
 */
export function openStores(
  all: readonly Definition[],
  { store, stores = {} }: Pick<ServerOptions, 'store' | 'stores'>,
): Map<string, Store> {
  if (Object.hasOwn(stores, 'default')) {
    throw new TypeError("stores: 'default' is the name of the one that you pass as store.")
  }
  const isNeeded = all.some(({ storage, bind }) => storage === 'server' || bind !== 'none')
  if (isNeeded && !store && process.env.NODE_ENV === 'production') {
    throw new TypeError(
      'store: in production, say where server bins are kept, such as sqliteStore(path); memoryStore() loses them on restart.',
    )
  }
  return new Map([['default', store ?? memoryStore()], ...Object.entries(stores)])
}

/**
 * Derives the keys for signed and sealed cookies; `undefined` if there is no secret, and no bin that needs one.
 *
 * @throws TypeError naming where the secrets come from.
 */
export function openKeys(
  all: readonly Definition[],
  { secrets: given, random }: { secrets: readonly string[] | undefined; random: (bytes: number) => Buffer },
): Keys | undefined {
  if (given && given.length > 0) return deriveKeys(parseSecrets(given), random)
  const fromEnvironment = given ? [] : secretsIn(process.env.BREADBIN_SECRETS)
  if (fromEnvironment.length > 0) {
    try {
      return deriveKeys(parseSecrets(fromEnvironment), random)
    } catch (cause) {
      throw new TypeError('BREADBIN_SECRETS: it holds what cannot be a secret; see the cause.', { cause })
    }
  }
  const protectedBin = all.find(({ storage, browser }) => storage === 'cookie' && browser !== 'write')
  if (!protectedBin) return undefined
  throw new TypeError(
    `secrets: bin ${JSON.stringify(protectedBin.name)} is signed or sealed; pass secrets, or set BREADBIN_SECRETS.`,
  )
}

function secretsIn(variable: string | undefined): string[] {
  return (variable ?? '')
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '')
}

/**
 * Checks that every bin can be served.
 *
 * @throws TypeError naming the bin.
 */
export function checkBins(
  all: readonly Definition[],
  stores: ReadonlyMap<string, Store>,
  { user, consent }: Pick<ServerOptions, 'user' | 'consent'>,
): void {
  for (const definition of all) {
    const { name, storage, store, scope, browser, bind, schema } = definition
    if (definition.consent !== undefined && storage !== 'device' && !consent) {
      throw new TypeError(
        `bin ${JSON.stringify(name)}: it needs consent; say what a visitor has agreed to, by serveBins({ consent }).`,
      )
    }
    if ((scope === 'user' || bind === 'user') && !user) {
      throw new TypeError(
        `bin ${JSON.stringify(name)}: it ${scope === 'user' ? 'follows' : 'belongs to'} a user; say who is logged in, by serveBins({ user }).`,
      )
    }
    if (!stores.has(store)) {
      throw new TypeError(
        `bin ${JSON.stringify(name)}: there is no store ${JSON.stringify(store)}; name it in serveBins({ stores }).`,
      )
    }
    if (storage === 'server' && browser === 'write' && !schema) {
      throw new TypeError(
        `bin ${JSON.stringify(name)}: a server bin that browsers may write needs a schema: without one, any visitor could store anything.`,
      )
    }
  }
}

function toOrigin(option: string, origin: string): string {
  if (/^https?:\/\//.test(origin) && URL.canParse(origin)) return new URL(origin).origin
  throw new TypeError(`${option}: pass scheme and host as browsers see them, such as 'https://example.org'.`)
}
