import type * as Codec from '../../src/core/codec/codec.ts'
import type * as Cookie from '../../src/core/cookie/cookie-format.ts'
import type { deriveKeys } from '../../src/server/cookies/keys.ts'

/**
 * Runs the golden vectors against the functions it is given. It imports nothing at run time, so that the same lines
 * run in Node and in browsers.
 */

/** `test/vectors/codec.json`. */
export interface CodecVectors {
  readonly texts: ReadonlyArray<{ readonly name: string; readonly data: unknown; readonly text: string }>
  readonly refused: ReadonlyArray<{ readonly why: string; readonly text: string }>
  readonly otherSpellings: ReadonlyArray<{ readonly why: string; readonly text: string }>
}

/** `test/vectors/cookie.json`. */
export interface CookieVectors {
  readonly names: ReadonlyArray<{ readonly prefix: string; readonly bin: string; readonly name: string }>
  readonly noNames: ReadonlyArray<{ readonly why: string; readonly prefix: string; readonly name: string }>
  readonly plain: ReadonlyArray<{ readonly cookie: Cookie.CookieText; readonly value: string }>
  readonly noPlain: readonly NoValue[]
  readonly secrets: ReadonlyArray<{ readonly secret: string; readonly keyId: string }>
  readonly signed: readonly Protected[]
  readonly noSigned: readonly NoValue[]
  readonly sealed: ReadonlyArray<Protected & { readonly nonce: string }>
  readonly noSealed: readonly NoValue[]
  readonly sizes: ReadonlyArray<{ readonly name: string; readonly value: string; readonly bytes: number }>
}

interface NoValue {
  readonly why: string
  readonly value: string
}

interface Protected {
  /** Which of `secrets`. */
  readonly secret: number
  readonly name: string
  readonly tag: string
  readonly cookie: Cookie.CookieText
  readonly value: string
}

/** What the codec does otherwise than the vectors say, in words; empty = nothing. */
export function codecMismatches(
  { texts, refused, otherSpellings }: CodecVectors,
  { encode, decode, decodeTrusted }: Pick<typeof Codec, 'encode' | 'decode' | 'decodeTrusted'>,
): string[] {
  return [
    ...texts.flatMap(({ name, data, text }) => [
      ...mismatch(`encode: ${name}`, encode(toData(data)), text),
      ...mismatch(`decode: ${name}`, decode(text)?.data, toData(data)),
      ...mismatch(`decodeTrusted: ${name}`, decodeTrusted(text), toData(data)),
    ]),
    ...refused.flatMap(({ why, text }) => [
      ...mismatch(`decode refuses ${why}: ${text}`, decode(text), undefined),
      ...mismatch(`decodeTrusted refuses ${why}: ${text}`, decodeTrusted(text), undefined),
    ]),
    ...otherSpellings.flatMap(({ why, text }) =>
      mismatch(`decode refuses ${why}: ${text}`, decode(text), undefined),
    ),
  ]
}

/** What the cookies, signed and sealed ones as far as a browser reads them, do otherwise than the vectors say. */
export function cookieMismatches(vectors: CookieVectors, cookie: typeof Cookie): string[] {
  return [
    ...vectors.names.flatMap(({ prefix, bin, name }) => [
      ...mismatch(`toCookieName: ${name}`, cookie.toCookieName(prefix, bin), name),
      ...mismatch(`fromCookieName: ${name}`, cookie.fromCookieName(prefix, name), bin),
    ]),
    ...vectors.noNames.flatMap(({ why, prefix, name }) =>
      mismatch(`fromCookieName refuses ${why}`, cookie.fromCookieName(prefix, name), undefined),
    ),
    ...vectors.plain.flatMap((vector) => [
      ...mismatch(`formatPlain: ${vector.value}`, cookie.formatPlain(vector.cookie), vector.value),
      ...mismatch(`parsePlain: ${vector.value}`, cookie.parsePlain(vector.value), vector.cookie),
    ]),
    ...vectors.noPlain.flatMap(({ why, value }) =>
      mismatch(`parsePlain refuses ${why}: ${value}`, cookie.parsePlain(value), undefined),
    ),
    ...vectors.signed.flatMap((vector) => {
      const signed = cookie.parseSigned(vector.value)
      return [
        ...mismatch(`parseSigned: ${vector.value}`, signed?.cookie, vector.cookie),
        ...mismatch(`signedPart: ${vector.value}`, cookie.signedPart(vector.cookie), signed?.part),
      ]
    }),
    ...vectors.noSigned.flatMap(({ why, value }) =>
      mismatch(`parseSigned refuses ${why}: ${value}`, cookie.parseSigned(value), undefined),
    ),
    ...vectors.sealed.flatMap(({ value }) => {
      const sealed = cookie.parseSealed(value)
      return mismatch(`parseSealed: ${value}`, sealed && cookie.formatSealed(sealed), value)
    }),
    ...vectors.noSealed.flatMap(({ why, value }) =>
      mismatch(`parseSealed refuses ${why}: ${value}`, cookie.parseSealed(value), undefined),
    ),
    ...vectors.sizes.flatMap(({ name, value, bytes }) =>
      mismatch(`cookieBytes: ${name}=${value}`, cookie.cookieBytes(name, value), bytes),
    ),
  ]
}

/** What the keys do otherwise than the vectors say. */
export function keyMismatches(
  { secrets, signed, sealed }: CookieVectors,
  derive: typeof deriveKeys,
): string[] {
  const keysOf = (vector: Protected, nonce = '') =>
    derive([Buffer.from(secrets[vector.secret]?.secret ?? '', 'base64url')], () =>
      Uint8Array.from(toBytes(nonce)),
    )
  return [
    ...signed.flatMap((vector) => [
      ...mismatch(
        `sign: ${vector.value}`,
        keysOf(vector).sign(vector.name, vector.tag, vector.cookie),
        vector.value,
      ),
      ...mismatch(
        `verify: ${vector.value}`,
        keysOf(vector).verify(vector.name, vector.tag, vector.value),
        vector.cookie,
      ),
    ]),
    ...sealed.flatMap((vector) => [
      ...mismatch(
        `seal: ${vector.value}`,
        keysOf(vector, vector.nonce).seal(vector.name, vector.tag, vector.cookie),
        vector.value,
      ),
      ...mismatch(
        `unseal: ${vector.value}`,
        keysOf(vector).unseal(vector.name, vector.tag, vector.value),
        vector.cookie,
      ),
    ]),
  ]
}

/** Builds what the notation of `codec.json` describes: JSON, but for objects with one key that starts with `$`. */
function toData(described: unknown): unknown {
  if (Array.isArray(described)) return described.map(toData)
  if (typeof described !== 'object' || described === null) return described
  const entries = Object.entries(described)
  const [[key, value] = ['', undefined], ...others] = entries
  if (others.length > 0 || !key.startsWith('$')) return fromEntries(entries)
  switch (key) {
    case '$undefined':
      return undefined
    case '$number':
      return Number(value)
    case '$bigint':
      return BigInt(value)
    case '$date':
      return new Date(value)
    case '$url':
      return new URL(value)
    case '$set':
      return new Set(list(value).map(toData))
    case '$map':
      return new Map(list(value).map((entry) => pair(list(entry).map(toData))))
    case '$object':
      return fromEntries(list(value).map((entry) => pair(list(entry))))
    default:
      throw new TypeError(`The vectors use ${key}, which has no meaning.`)
  }
}

function fromEntries(entries: Array<[unknown, unknown]>): object {
  return Object.fromEntries(entries.map(([key, value]) => [String(key), toData(value)]))
}

function list(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  throw new TypeError('The vectors have no list where one belongs.')
}

function pair([key, value]: unknown[]): [unknown, unknown] {
  return [key, value]
}

function toBytes(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16))
}

function mismatch(what: string, actual: unknown, expected: unknown): string[] {
  return same(actual, expected) ? [] : [what]
}

/** Whether two data are alike, down to -0, the kind of each object, and the order of all that has one. */
function same(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Object.prototype.toString.call(one) !== Object.prototype.toString.call(other)) return false
  const [parts, others] = [partsOf(one), partsOf(other)]
  return parts.length === others.length && parts.every((part, index) => same(part, others[index]))
}

function partsOf(value: object): unknown[] {
  if (value instanceof Date) return [value.getTime()]
  if (value instanceof URL) return [value.href]
  if (value instanceof Map || value instanceof Set) return [...value]
  return Array.isArray(value) ? value : [...Object.keys(value), ...Object.values(value)]
}
