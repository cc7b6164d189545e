import { parseCookie, stringifySetCookie } from 'cookie'
import { cookieBytes, toCookieName } from '../core/cookie.ts'
import type { Definitions } from '../core/definition.ts'
import { BinsError } from '../core/error.ts'
import { MAX_COOKIE_BYTES, MAX_COOKIES_BYTES } from '../core/limits.ts'

/** How a cookie is to be kept. */
export interface CookieLife {
  /** Seconds until it expires; left out: until the browser closes. */
  readonly maxAge?: number | undefined
  /** Whether scripts do not see it. */
  readonly httpOnly: boolean
}

/** Our cookies in a request, and those that the response is to set. */
export interface Jar {
  /** Full name of a bin's cookie. */
  binName(bin: string): string
  /** Name of the visitor cookie. */
  readonly visitorName: string
  /** Name of its companion, which scripts can read. */
  readonly companionName: string
  /** Name of the cookie that marks the browser session. */
  readonly sessionName: string
  /** Values of a name, those that a browser sent by accident twice included; what the response sets replaces them. */
  values(name: string): readonly string[]
  /**
   * Sets a cookie in the response, replacing what was to be set of this name.
   *
   * @throws {@link BinsError} `TOO_LARGE` if it, or all our cookies together, would be too large.
   */
  set(name: string, value: string, life: CookieLife, bin?: string): void
  /** Deletes a cookie, if the browser has it. */
  delete(name: string, life: Pick<CookieLife, 'httpOnly'>): void
  /** Takes back what the response was to set or delete of this name. */
  forget(name: string): void
  /** What the response is to set: the `Set-Cookie` lines by cookie name. */
  readonly lines: ReadonlyMap<string, string>
}

/** Opens the jar of a request. */
export function openJar(header: string, secure: boolean, cookie: Definitions['cookie']): Jar {
  const { prefix, domain, path, sameSite } = cookie
  const visitorName = visitorNameOf(cookie, secure)
  const lines = new Map<string, string>()
  const pending = new Map<string, string | undefined>()
  let received: Record<string, string | undefined> | undefined

  function sent(): Record<string, string | undefined> {
    received ??= parseCookie(header, { decode: identity })
    return received
  }

  function values(name: string): readonly string[] {
    if (pending.has(name)) {
      const value = pending.get(name)
      return value === undefined ? [] : [value]
    }
    const first = sent()[name]
    if (first === undefined) return []
    return header.indexOf(`${name}=`) === header.lastIndexOf(`${name}=`) ? [first] : valuesOf(header, name)
  }

  function line(name: string, value: string, { maxAge, httpOnly }: CookieLife): string {
    return stringifySetCookie(
      {
        name,
        value,
        path,
        secure,
        httpOnly,
        sameSite,
        ...(domain === undefined ? {} : { domain }),
        ...(maxAge === undefined ? {} : { maxAge }),
      },
      { encode: identity },
    )
  }

  /** Bytes of all our cookies, once the response is in. */
  function bytesWith(name: string, value: string): number {
    let bytes = cookieBytes(name, value)
    for (const [other, text] of Object.entries({ ...sent(), ...Object.fromEntries(pending) })) {
      if (other !== name && text !== undefined && isOurs(other)) bytes += cookieBytes(other, text)
    }
    return bytes
  }

  function isOurs(name: string): boolean {
    return name === visitorName || name.startsWith(`${prefix}-`) || name.startsWith(`${prefix}.`)
  }

  return {
    binName: (bin) => toCookieName(prefix, bin),
    visitorName,
    companionName: `${prefix}.o`,
    sessionName: `${prefix}.s`,
    values,
    set(name, value, life, bin) {
      checkSize(cookieBytes(name, value), MAX_COOKIE_BYTES, 'a cookie', bin)
      checkSize(bytesWith(name, value), MAX_COOKIES_BYTES, 'all cookies together', bin)
      pending.set(name, value)
      lines.set(name, line(name, value, life))
    },
    delete(name, life) {
      pending.set(name, undefined)
      if (sent()[name] === undefined) lines.delete(name)
      else lines.set(name, line(name, '', { ...life, maxAge: 0 }))
    },
    forget(name) {
      pending.delete(name)
      lines.delete(name)
    },
    lines,
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

/** Says which bin is too large, by how much, and what to do. */
function checkSize(bytes: number, limit: number, what: string, bin: string | undefined): void {
  if (bytes <= limit) return
  const subject = bin === undefined ? 'The visitor' : `Bin ${JSON.stringify(bin)}`
  throw new BinsError(
    'TOO_LARGE',
    `${subject} makes ${what} ${bytes} bytes; ${limit} are allowed. Use storage: 'server' for larger data.`,
    { bin },
  )
}

function identity(text: string): string {
  return text
}
