import { MAX_NAME_BYTES } from '../limits.ts'
import { utf8Length } from '../utf8.ts'
import { fromPayload, toPayload } from './payload.ts'

/** What the cookie of a bin holds. */
export interface CookieText {
  /** Version of the data's shape; a whole number ≥ 0. */
  readonly version: number
  /** When it was written, in seconds since the Unix epoch. */
  readonly at: number
  /** When it ends, in seconds since the Unix epoch; 0 = when the browser closes. */
  readonly expires: number
  /** The encoded data. */
  readonly text: string
}

/** A signed cookie that was taken apart. Whether its signature is right is another question. */
export interface SignedCookie {
  /** What it holds. */
  readonly cookie: CookieText
  /** What the signature is about: the value up to its last dot. */
  readonly part: string
  /** The signature: 43 characters of base64url. */
  readonly mac: string
}

/** A sealed cookie that was taken apart, still sealed. */
export interface SealedCookie {
  /** Which key it was sealed with: 4 characters of base64url. */
  readonly keyId: string
  /** Nonce, ciphertext and tag, in base64url. */
  readonly box: string
}

/**
 * Names the cookie of a bin: the prefix, a dash, and the bin's name in UTF-8 with the bytes outside `[A-Za-z0-9-]`
 * written `_hh`.
 *
 * @param prefix Prefix of all our cookies, without the dash.
 * @param bin Name of the bin; well-formed.
 * @throws URIError for half a surrogate pair.
 */
export function toCookieName(prefix: string, bin: string): string {
  const escaped = encodeURIComponent(bin).replace(
    /[_.!~*'()]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16)}`,
  )
  return `${prefix}-${escaped.replace(/%../g, (byte) => byte.replace('%', '_').toLowerCase())}`
}

/** Finds the bin of a cookie name; `undefined` unless {@link toCookieName} writes this name for a bin. */
export function fromCookieName(prefix: string, name: string): string | undefined {
  const coded = name.slice(prefix.length + 1)
  if (!/^(?:[A-Za-z0-9-]|_[0-9a-f]{2})+$/.test(coded)) return undefined
  try {
    const bin = decodeURIComponent(coded.replaceAll('_', '%'))
    return toCookieName(prefix, bin) === name && utf8Length(bin) <= MAX_NAME_BYTES ? bin : undefined
  } catch {
    // URIError: the bytes are no UTF-8.
    return undefined
  }
}

/** Value of a cookie that scripts may write: `1.<version>.<at>.<expires>.<payload>`, numbers in base 36. */
export function formatPlain(cookie: CookieText): string {
  return `1.${formatHead(cookie)}.${toPayload(cookie.text)}`
}

/** Reads what {@link formatPlain} writes; `undefined` for anything else. Takes time in proportion to its length. */
export function parsePlain(value: string): CookieText | undefined {
  return value.startsWith('1.') ? parseBody(value.slice(2)) : undefined
}

/** What is signed of a signed cookie: all but the last dot and the signature after it. */
export function signedPart(cookie: CookieText): string {
  return `1s.${formatHead(cookie)}.${toPayload(cookie.text)}`
}

/** Takes a signed cookie apart without checking its signature: that needs the secret. `undefined` if it is none. */
export function parseSigned(value: string): SignedCookie | undefined {
  const dot = value.lastIndexOf('.')
  const part = value.slice(0, dot)
  const mac = value.slice(dot + 1)
  // 32 bytes fill 42 characters and two thirds of one.
  if (!part.startsWith('1s.') || !/^[\w-]{42}[AEIMQUYcgkosw048]$/.test(mac)) return undefined
  const cookie = parseBody(part.slice(3))
  return cookie && { cookie, part, mac }
}

/** Value of a sealed cookie: `1e.<keyId>.<box>`. */
export function formatSealed({ keyId, box }: SealedCookie): string {
  return `1e.${keyId}.${box}`
}

/** Takes a sealed cookie apart without opening it; `undefined` if it is none. */
export function parseSealed(value: string): SealedCookie | undefined {
  const [, keyId, box] = /^1e\.([\w-]{4})\.([\w-]+)$/.exec(value) ?? []
  return keyId && box ? { keyId, box } : undefined
}

/** What is inside a sealed cookie: `<version>.<at>.<expires>.<text>`, numbers in base 36. */
export function formatContent(cookie: CookieText): string {
  return `${formatHead(cookie)}.${cookie.text}`
}

/** Reads what {@link formatContent} writes; `undefined` for anything else. */
export function parseContent(content: string): CookieText | undefined {
  const [, head1 = '', head2 = '', head3 = '', text = ''] = /^(\w+)\.(\w+)\.(\w+)\.(.*)$/s.exec(content) ?? []
  const version = parseNumber(head1)
  const at = parseNumber(head2)
  const expires = parseNumber(head3)
  return Number.isNaN(version + at + expires) ? undefined : { version, at, expires, text }
}

/** Size of a cookie as browsers count it: the UTF-8 bytes of its name and value. */
export function cookieBytes(name: string, value: string): number {
  return utf8Length(name) + utf8Length(value)
}

function formatHead({ version, at, expires }: CookieText): string {
  return `${formatNumber(version)}.${formatNumber(at)}.${formatNumber(expires)}`
}

function parseBody(body: string): CookieText | undefined {
  const content = parseContent(body)
  if (!content) return undefined
  const text = fromPayload(content.text)
  return text === undefined ? undefined : { ...content, text }
}

function formatNumber(number: number): string {
  if (!Number.isSafeInteger(number) || number < 0)
    throw new TypeError(`${number}: pass a whole number from 0.`)
  return number.toString(36)
}

/** NaN for what {@link formatNumber} does not write. */
function parseNumber(text: string): number {
  const number = Number.parseInt(text, 36)
  return Number.isSafeInteger(number) && number.toString(36) === text ? number : Number.NaN
}
