/** The cookies that a browser keeps for a site. */
export interface CookieJar {
  /** The `Cookie` header of a request. */
  header(): string
  /** Value of a cookie, if it is there. */
  get(name: string): string | undefined
  /** Takes in `Set-Cookie` lines. Tells whether anything has changed. */
  take(lines: readonly string[]): boolean
  /** Deletes a cookie, or all. */
  delete(name?: string): void
  /** Takes over all cookies of another browser, for long. */
  copyFrom(jar: CookieJar): void
  /** Cookies by name. */
  readonly cookies: ReadonlyMap<string, Cookie>
}

/** A cookie that a browser keeps. */
export interface Cookie {
  /** Its value. */
  readonly value: string
  /** When it ends, in ms since the Unix epoch by the browser's clock. */
  readonly expires: number
}

/** How long browsers keep a cookie, in ms. */
const LONG_MS = 400 * 86_400_000

/** Opens an empty jar. */
export function openJar(clock: () => number): CookieJar {
  const cookies = new Map<string, Cookie>()

  function present(): Map<string, Cookie> {
    for (const [name, { expires }] of cookies) if (expires <= clock()) cookies.delete(name)
    return cookies
  }

  function takeLine(line: string): boolean {
    const [pair = '', ...attributes] = line.split('; ')
    const name = pair.slice(0, pair.indexOf('='))
    const value = pair.slice(name.length + 1)
    const maxAge = attributes.find((attribute) => attribute.startsWith('Max-Age='))?.slice(8)
    const expires = maxAge === undefined ? Infinity : clock() + Number(maxAge) * 1_000
    const before = present().get(name)?.value
    if (expires <= clock()) return cookies.delete(name)
    cookies.set(name, { value, expires })
    return before !== value
  }

  return {
    header: () => [...present()].map(([name, { value }]) => `${name}=${value}`).join('; '),
    get: (name) => present().get(name)?.value,
    take: (lines) => lines.map(takeLine).includes(true),
    delete(name) {
      if (name === undefined) cookies.clear()
      else cookies.delete(name)
    },
    copyFrom(jar) {
      cookies.clear()
      for (const [name, { value }] of jar.cookies) cookies.set(name, { value, expires: clock() + LONG_MS })
    },
    get cookies() {
      return present()
    },
  }
}
