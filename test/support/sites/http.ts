import { parseSetCookie } from 'cookie'

/** A site of these tests; https, so that cookies have all their prefixes. */
export const ORIGIN = 'https://example.org'

/** What a browser says of a navigation within the site: its response may set cookies that nobody has asked for. */
export const NAVIGATION = {
  'sec-fetch-site': 'same-origin',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
}

/** The cookies that a browser keeps for one site. */
export interface CookieJar {
  /** The `Cookie` header of a request; empty = there is none. */
  header(): string
  /** Takes in a `Set-Cookie` line. */
  set(line: string): void
  /** Ends the browser session. */
  restart(): void
}

/** Opens a jar of one host and the path `/`, which goes by the test's clock. */
export function openCookieJar(clock: () => number): CookieJar {
  const cookies = new Map<string, { value: string; expires: number | undefined }>()
  return {
    header() {
      const live = [...cookies].filter(([, { expires = Number.POSITIVE_INFINITY }]) => expires > clock())
      return live.map(([name, { value }]) => `${name}=${value}`).join('; ')
    },
    set(line) {
      const { name, value = '', maxAge, expires } = parseSetCookie(line, { decode: (text) => text })
      // `Max-Age` wins (RFC 6265bis §5.7).
      const until = maxAge === undefined ? expires?.getTime() : clock() + maxAge * 1_000
      cookies.set(name, { value, expires: until })
    },
    restart() {
      for (const [name, { expires }] of cookies) if (expires === undefined) cookies.delete(name)
    },
  }
}

/** Takes in the cookies that a response sets. Returns the response. */
export function take<R extends Response | Headers>(jar: CookieJar, response: R): R {
  const headers = response instanceof Headers ? response : response.headers
  for (const line of headers.getSetCookie()) jar.set(line)
  return response
}

/** A request to the site, as a browser with these cookies sends it. */
export function requestWith(jar: CookieJar, path = '/', init: RequestInit = {}): Request {
  const headers = new Headers(init.headers)
  if (jar.header() !== '') headers.set('cookie', jar.header())
  if (init.method === 'POST') headers.set('origin', ORIGIN)
  return new Request(new URL(path, ORIGIN), { ...init, headers })
}

/** The `fetch` of a browser with these cookies, to a server in this process. */
export function fetchWith(
  jar: CookieJar,
  answer: (request: Request) => Promise<Response>,
): typeof globalThis.fetch {
  return async (path, init) => take(jar, await answer(requestWith(jar, String(path), init)))
}
