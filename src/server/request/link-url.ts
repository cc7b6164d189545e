import type { Definitions } from '../../core/definition/definition.ts'
import { toSeconds } from '../../core/definition/duration.ts'
import { isOwnUrl, type RequestHead } from '../http/request-head.ts'
import { formatToken, type Token } from '../identity/token.ts'
import type { LinkOptions } from './server-bins.ts'

/** The longest that a link can be used, in seconds. */
const MAX_SECONDS = 86_400

/**
 * Checks what a link is to be made of.
 *
 * @returns How long it can be used, in ms.
 * @throws TypeError
 */
export function checkLink(
  head: RequestHead,
  url: string | URL,
  { maxAge = '10m' }: LinkOptions = {},
): number {
  const seconds = toSeconds(maxAge, 'maxAge')
  if (seconds > MAX_SECONDS) throw new TypeError('maxAge: a link can be used for a day at most.')
  if (typeof url !== 'string' && !(url instanceof URL)) {
    throw new TypeError("link: pass the URL of a page of this site, such as '/cart'.")
  }
  const text = String(url)
  if (text.includes('#')) throw new TypeError('link: pass a URL without a fragment; the secret goes there.')
  if (isOwnUrl(head, text)) return seconds * 1_000
  // Whoever answers there could use it.
  throw new TypeError(
    'link: pass a URL of this site, best a relative one; `origin` and `origins` of serveBins say what is of this site.',
  )
}

/** Formats a link. A browser sends the fragment to no server, and in no `Referer` (RFC 9110 §7.1, §10.1.3). */
export function formatLink(url: string | URL, token: Token, { prefix }: Definitions['cookie']): string {
  return `${url}#${prefix}-link=${formatToken(token)}`
}
