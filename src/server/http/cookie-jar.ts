import { parseCookie, stringifySetCookie } from 'cookie'
import { cookieBytes, fromCookieName, toCookieName } from '../../core/cookie/cookie-format.ts'
import type { Definitions } from '../../core/definition/definition.ts'
import { BinsError } from '../../core/error.ts'
import { MAX_COOKIE_BYTES, MAX_COOKIES_BYTES } from '../../core/limits.ts'
import type { RequestHead } from './request-head.ts'

/** How a cookie is to be kept. */
export interface CookieLife {
  /** Seconds until it expires; left out: until the browser closes. */
  readonly maxAge?: number | undefined
  /** Whether scripts do not see it. */
  readonly httpOnly: boolean
}

/** What the response is to do with a cookie. */
export interface Change {
  /** The value that the browser will have; left out: none. */
  readonly value?: string
  /** The `Set-Cookie` line, or what stands for it in the header that carries them; left out if there is nothing to tell the browser. */
  readonly line?: string
}

/** Our cookies in a request, and those that the response is to set. */
export interface Jar {
  /** Full name of a bin's cookie. */
  binName(bin: string): string
  /** Bins whose cookies were sent or are to be set, whatever is in them. */
  bins(): string[]
  /** Name of the visitor cookie. */
  readonly visitorName: string
  /** Name of its companion, which scripts can read. */
  readonly companionName: string
  /** Name of the cookie that marks the browser session. */
  readonly sessionName: string
  /** Values of a name, several if the browser sent several; what the response sets replaces them. */
  values(name: string): readonly string[]
  /** Sets a cookie in the response, replacing what was to be set of this name. */
  set(name: string, value: string, life: CookieLife): void
  /** Deletes a cookie, if the browser has it. */
  delete(name: string, life: Pick<CookieLife, 'httpOnly'>): void
  /** Puts back what {@link Jar.changes} said of a name before. */
  restore(name: string, change: Change | undefined): void
  /**
   * Checks whether a bin's cookie has room.
   *
   * @throws {@link BinsError} `TOO_LARGE` if it, or all our cookies together, would be too large.
   */
  checkSize(bin: string, value: string): void
  /** What the response is to do, by cookie name. */
  readonly changes: ReadonlyMap<string, Change>
}

/** Opens the jar of a request. */
export function openJar(
  { cookies: header, secure, transport }: Pick<RequestHead, 'cookies' | 'secure' | 'transport'>,
  cookie: Definitions['cookie'],
): Jar {
  const { prefix, domain, path, sameSite } = cookie
  const visitorName = visitorNameOf(cookie, secure)
  const changes = new Map<string, Change>()
  let received: Record<string, string | undefined> | undefined

  function sent(): Record<string, string | undefined> {
    received ??= parseCookie(header, { decode: identity })
    return received
  }

  function line(name: string, value: string, { maxAge, httpOnly }: CookieLife): string {
    // No browser is to keep what a header carries: there is nothing to say to one.
    const scope = transport === 'cookie' && {
      path,
      secure: secure || sameSite === 'none',
      httpOnly,
      sameSite,
      partitioned: sameSite === 'none',
      ...(domain === undefined ? {} : { domain }),
    }
    return stringifySetCookie(
      { name, value, ...scope, ...(maxAge === undefined ? {} : { maxAge }) },
      { encode: identity },
    )
  }

  /** Bytes of all our cookies but one, once the browser has the response. */
  function bytesBeside(name: string): number {
    let bytes = 0
    for (const other of new Set([...Object.keys(sent()), ...changes.keys()])) {
      const value = changes.has(other) ? changes.get(other)?.value : sent()[other]
      if (other !== name && value !== undefined && isOurs(other)) bytes += cookieBytes(other, value)
    }
    return bytes
  }

  function isOurs(name: string): boolean {
    return name === visitorName || name.startsWith(`${prefix}-`) || name.startsWith(`${prefix}.`)
  }

  return {
    binName: (bin) => toCookieName(prefix, bin),
    bins: () =>
      [...Object.keys(sent()), ...changes.keys()]
        .map((name) => fromCookieName(prefix, name))
        .filter((bin) => bin !== undefined),
    visitorName,
    companionName: `${prefix}.o`,
    sessionName: `${prefix}.s`,
    values(name) {
      const change = changes.get(name)
      if (change) return change.value === undefined ? [] : [change.value]
      const first = sent()[name]
      if (first === undefined) return []
      return header.indexOf(`${name}=`) === header.lastIndexOf(`${name}=`) ? [first] : valuesOf(header, name)
    },
    set(name, value, life) {
      changes.set(name, { value, line: line(name, value, life) })
    },
    delete(name, life) {
      changes.set(name, sent()[name] === undefined ? {} : { line: line(name, '', { ...life, maxAge: 0 }) })
    },
    restore(name, change) {
      if (change) changes.set(name, change)
      else changes.delete(name)
    },
    checkSize(bin, value) {
      const name = toCookieName(prefix, bin)
      const bytes = cookieBytes(name, value)
      if (bytes > MAX_COOKIE_BYTES) throw tooLarge(bin, `its cookie ${bytes}`, MAX_COOKIE_BYTES)
      const all = bytes + bytesBeside(name)
      if (all > MAX_COOKIES_BYTES) throw tooLarge(bin, `all cookies together ${all}`, MAX_COOKIES_BYTES)
    },
    changes,
  }
}

/** `__Host-` ties the cookie to this very host (RFC 6265bis §4.1.3); it excludes a domain and a path. */
function visitorNameOf({ prefix, domain, path }: Definitions['cookie'], secure: boolean): string {
  if (!secure) return prefix
  return domain === undefined && path === '/' ? `__Host-${prefix}` : `__Secure-${prefix}`
}

function valuesOf(header: string, name: string): string[] {
  return header
    .split(';')
    .map((pair) => parseCookie(pair, { decode: identity })[name])
    .filter((value) => value !== undefined)
}

function tooLarge(bin: string, what: string, limit: number): BinsError {
  return new BinsError(
    'TOO_LARGE',
    `Bin ${JSON.stringify(bin)} makes ${what} bytes; ${limit} are allowed. Use storage: 'server' for larger data.`,
    { bin },
  )
}

function identity(text: string): string {
  return text
}
