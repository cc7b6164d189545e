import Cookies from 'js-cookie'
import {
  type CookieText,
  cookieBytes,
  formatPlain,
  fromCookieName,
  parsePlain,
  parseSigned,
  toCookieName,
} from '../../core/cookie/cookie-format.ts'
import { parseTags, type Tags } from '../../core/cookie/tags.ts'
import type { BinText } from '../../core/definition/bin-text.ts'
import type { Definition, Definitions } from '../../core/definition/definition.ts'
import { BinsError } from '../../core/error.ts'
import { type OnEvent, report } from '../../core/event.ts'
import { MAX_COOKIE_BYTES, MAX_COOKIES_BYTES } from '../../core/limits.ts'
import type { KeptText } from '../../core/reader.ts'
import { isRenewedByReading, lifetimeOf } from '../../core/sync/renewal.ts'

/** The cookies of this page. */
export interface PageCookies {
  /** What a bin holds: in its cookie, or, where the browser would not keep that, in this page. */
  find(definition: Definition): KeptText | undefined
  /**
   * Sets or deletes a bin's cookie, and looks whether the browser has kept it.
   *
   * @throws {@link BinsError} `TOO_LARGE`.
   */
  set(definition: Definition, text: string | null): void
  /** Starts the lifetime of a bin anew that is read, if it is time. */
  renew(definition: Definition): void
  /** Resolves when a bin's cookie is here what it is in all of the browser, as far as that can be known. */
  agree?(definition: Definition): Promise<void>
  /**
   * Resolves when all cookies are kept, where that takes time.
   *
   * @throws {@link BinsError} `NOT_KEPT`.
   */
  flush?(): Promise<void>
  /** Bins that the browser would not keep; they live as long as the page. */
  readonly unkept: readonly string[]
  /** Bins that have a cookie, whatever it holds. */
  names(): string[]
  /** Tag of the visitor, as the companion cookie tells it; `null` = none. */
  visitorTag(): string | null
  /** Tag of the user who is logged in, as the companion cookie tells it; `null` = nobody is. */
  userTag(): string | null
  /** Id of the browser session, if its cookie is there. */
  session(): string | undefined
  /** Id of the browser session; starts one if there is none. */
  startSession(newId: () => string): string
}

/** Where the cookies of a page are. */
export interface CookiePlace {
  /** All cookies by name. Others may have changed them at any time. */
  all(): Readonly<Record<string, string>>
  /**
   * Sets a cookie, if it can be kept.
   *
   * @param expires In seconds since the Unix epoch: a past one deletes. `undefined`: when the browser closes.
   */
  write(name: string, value: string, expires: number | undefined): void
}

/** The value as it stands in the cookie: our format needs no escapes. */
const api = Cookies.withConverter<string>({ read: (value) => value, write: (value) => value })

/** How often to look whether a cookie is the same in all of the browser. Firefox's processes take one or two looks. */
const MAX_LOOKS = 20

/**
 * Opens the cookies of this page.
 *
 * @param options.place Where they are. Default: in the document.
 */
export function openPageCookies(
  { cookie }: Definitions,
  {
    clock,
    onEvent,
    place = documentCookies(cookie),
  }: { clock: () => number; onEvent: OnEvent | undefined; place?: CookiePlace },
): PageCookies {
  const { prefix } = cookie
  const { all, write } = place
  const unkept = new Map<string, BinText>()
  const parsed = new Map<string, { value: string; cookie: CookieText | undefined }>()

  function cookieOf({ name: bin, browser }: Definition): CookieText | undefined {
    const name = toCookieName(prefix, bin)
    const value = all()[name]
    if (value === undefined || browser === 'none') return undefined
    const known = parsed.get(name)
    if (known?.value === value) return known.cookie
    const text = browser === 'write' ? parsePlain(value) : parseSigned(value)?.cookie
    if (!text) report(onEvent, { type: 'unreadable', bin, reason: 'unreadable' })
    parsed.set(name, { value, cookie: text })
    return text
  }

  function checkSizes(bin: string, name: string, value: string): void {
    checkSize(bin, 'its cookie', cookieBytes(name, value), MAX_COOKIE_BYTES)
    let bytes = cookieBytes(name, value)
    for (const [other, text] of Object.entries(all())) {
      const isOurs = other.startsWith(`${prefix}-`) || other.startsWith(`${prefix}.`)
      if (isOurs && other !== name) bytes += cookieBytes(other, text)
    }
    checkSize(bin, 'all cookies together', bytes, MAX_COOKIES_BYTES)
  }

  function put({ name: bin, version }: Definition, text: string, expires: number): void {
    const name = toCookieName(prefix, bin)
    const value = formatPlain({ version, at: Math.floor(clock() / 1_000), expires, text })
    checkSizes(bin, name, value)
    const isKept = () => {
      const former = all()[name]
      write(name, value, expires === 0 ? undefined : expires)
      const present = all()[name]
      return present === value || present !== former
    }
    // Another tab, in a process of its own, may have written since: even what was there before, but hardly twice.
    if (isKept() || isKept()) {
      unkept.delete(bin)
      return
    }
    unkept.set(bin, { text, version })
    report(onEvent, { type: 'not-kept', bin })
  }

  function tags(): Tags | undefined {
    const companion = all()[`${prefix}.o`]
    return companion === undefined ? undefined : parseTags(companion)
  }

  return {
    find(definition) {
      const own = unkept.get(definition.name)
      if (own) return { ...own, trusted: true }
      const found = cookieOf(definition)
      if (!found || isExpired(found, clock())) return undefined
      return { text: found.text, version: found.version, trusted: false }
    },

    set(definition, text) {
      const { name: bin, maxAge, renew } = definition
      const at = Math.floor(clock() / 1_000)
      if (text === null) {
        unkept.delete(bin)
        write(toCookieName(prefix, bin), '', 0)
        return
      }
      const before = renew === 'never' ? cookieOf(definition) : undefined
      const kept = before && !isExpired(before, clock()) ? before.expires : undefined
      put(definition, text, maxAge === 'session' ? 0 : (kept ?? at + maxAge))
    },

    renew(definition) {
      const found = definition.browser === 'write' ? cookieOf(definition) : undefined
      // What is of another version is for a write to bring up to date.
      if (!found || found.version !== definition.version) return
      if (!isRenewedByReading(definition, found.expires * 1_000, clock())) return
      put(definition, found.text, Math.floor((clock() + lifetimeOf(definition)) / 1_000))
    },

    async agree({ name: bin }) {
      const name = toCookieName(prefix, bin)
      for (let look = 0; look < MAX_LOOKS; look += 1) {
        const found = await lookUp(name)
        if (found === undefined || found.value === all()[name]) return
      }
    },

    get unkept() {
      return [...unkept.keys()]
    },

    names: () => Object.keys(all()).flatMap((name) => fromCookieName(prefix, name) ?? []),

    visitorTag: () => tags()?.visitor || null,

    userTag: () => tags()?.user ?? null,

    session: () => all()[`${prefix}.s`],

    startSession(newId) {
      const name = `${prefix}.s`
      if (all()[name] === undefined) write(name, newId(), undefined)
      return all()[name] ?? newId()
    },
  }
}

function documentCookies({ domain, path, sameSite }: Definitions['cookie']): CookiePlace {
  let raw: string | undefined
  let jar: Record<string, string> = {}
  return {
    all() {
      const present = readCookies()
      // The browser's list is compared, and parsed if it moved.
      if (present !== raw) {
        raw = present
        jar = present === '' ? {} : api.get()
      }
      return jar
    },
    write(name, value, expires) {
      try {
        api.set(name, value, {
          path,
          sameSite,
          secure: sameSite === 'none' || !isLocal(location),
          partitioned: sameSite === 'none',
          ...(domain === undefined ? {} : { domain }),
          ...(expires === undefined ? {} : { expires: new Date(expires * 1_000) }),
        })
      } catch {
        // As in `readCookies`; whoever looks finds no cookie.
      }
    },
  }
}

/** What a cookie is in all of the browser; `undefined` where nobody can tell. */
async function lookUp(name: string): Promise<{ value: string | undefined } | undefined> {
  try {
    const store = (globalThis as { cookieStore?: { get(name: string): Promise<{ value: string } | null> } })
      .cookieStore
    return store && { value: (await store.get(name))?.value }
  } catch {
    // As in `readCookies`.
    return undefined
  }
}

/** The document's cookies; a sandboxed document has none, and throws a SecurityError for the question. */
function readCookies(): string {
  try {
    return document.cookie
  } catch {
    return ''
  }
}

/** Where the server leaves out `Secure`, and only there: both sides must write the same cookie. */
function isLocal({ protocol, hostname }: Location): boolean {
  return protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
}

function isExpired({ expires }: CookieText, now: number): boolean {
  return expires !== 0 && expires * 1_000 <= now
}

function checkSize(bin: string, what: string, bytes: number, limit: number): void {
  if (bytes <= limit) return
  throw new BinsError(
    'TOO_LARGE',
    `Bin ${JSON.stringify(bin)} makes ${what} ${bytes} bytes; ${limit} are allowed. Use storage: 'server' for larger data.`,
    { bin },
  )
}
