import {
  COOKIE_HEADER,
  formatCookies,
  parseCarried,
  SET_COOKIE_HEADER,
} from '../../../src/core/cookie/cookie-header.ts'
import { type Got, type Listening, type Sent, send } from './express.ts'

/** A client that keeps what cookies would be by itself, and sends it in a header. */
export interface Carrier {
  /** What it keeps, by name. */
  readonly cookies: Map<string, string>
  /** Sends a request with it, and takes in what the answer says. */
  browse(path: string, sent?: Sent): Promise<Got>
}

/** Opens a client that keeps nothing yet. */
export function openCarrier(server: Listening): Carrier {
  const cookies = new Map<string, string>()
  return {
    cookies,
    async browse(path, sent = {}) {
      const carried = { [COOKIE_HEADER]: formatCookies([...cookies]) }
      const got = await send(server, { ...sent, path, headers: { ...carried, ...sent.headers } })
      if (!got) throw new Error('no answer')
      for (const [name, value, maxAge] of carriedIn(got)) {
        if (maxAge !== undefined && maxAge <= 0) cookies.delete(name)
        else cookies.set(name, value)
      }
      return got
    },
  }
}

/** The cookies that an answer carries in its header. */
export function carriedIn({ headers }: Got): ReturnType<typeof parseCarried> {
  return [headers[SET_COOKIE_HEADER] ?? []].flat().flatMap(parseCarried)
}
