import { fromBase64url, toBase64url } from '../base64url.ts'
import { MAX_COOKIE_BYTES } from '../limits.ts'
import { decoder, encoder, utf8Length } from '../utf8.ts'

/** What `encodeURIComponent` leaves as it is, of the characters that must be escaped. */
const ESCAPES = new Map([
  ["'", '*27'],
  ['!', '*21'],
  ['*', '*2A'],
])

/** For each byte, the one that stands for it: itself, but for three pairs. */
const PARTNERS = toPartners(['"\'', ',!', ' ^'])

/** Room for the text of a cookie. To make an array takes Node and browsers longer than to swap what is in it. */
const scratch = new Uint8Array(3 * MAX_COOKIE_BYTES)

/**
 * Writes a text in characters that cookie parsers leave alone: readable, after a `'`, or, where that is shorter, as
 * base64url of its UTF-8 bytes, after a `~`.
 *
 * @throws URIError for half a surrogate pair; no text of the codec has one.
 */
export function toPayload(text: string): string {
  const readable = toReadable(text)
  // Nothing was escaped: base64url cannot be shorter.
  if (readable.length === text.length) return `'${readable}`
  const isShorter = readable.length <= Math.ceil((utf8Length(text) * 4) / 3)
  return isShorter ? `'${readable}` : `~${toBase64url(text)}`
}

/** Reads what {@link toPayload} writes; `undefined` for anything else. */
export function fromPayload(payload: string): string | undefined {
  // Nothing is escaped: there is no other spelling to refuse.
  if (/^'[!#$&-)\-./0-:<-[\]-~]*$/.test(payload)) return swap(payload.slice(1))
  try {
    const text = readPayload(payload)
    return text !== undefined && toPayload(text) === payload ? text : undefined
  } catch {
    // URIError or TypeError for what is no Unicode, InvalidCharacterError for what is no base64.
    return undefined
  }
}

function readPayload(payload: string): string | undefined {
  if (payload.startsWith("'")) return fromReadable(payload.slice(1))
  return payload.startsWith('~') ? fromBase64url(payload.slice(1)) : undefined
}

/**
 * JSON is full of `"` and `,`, which a cookie cannot hold: they change places with `'` and `!`, which JSON seldom has,
 * and the space with `^`. `%` and `+` are escaped for parsers that decode as in URLs, `*` as it is our own `%`.
 */
function toReadable(text: string): string {
  const escaped = text.replace(
    /['!^*%+;\\]|[^ -~]+/g,
    (run) => ESCAPES.get(run) ?? encodeURIComponent(run).replaceAll('%', '*'),
  )
  return swap(escaped)
}

function fromReadable(readable: string): string {
  return swap(readable).replace(/(?:\*[0-9A-F]{2})+/g, (run) => decodeURIComponent(run.replaceAll('*', '%')))
}

/** Twice is the same as never. Six times as fast as three `replaceAll`. */
function swap(text: string): string {
  const bytes = text.length * 3 <= scratch.length ? scratch : new Uint8Array(text.length * 3)
  const { written } = encoder.encodeInto(text, bytes)
  for (let index = 0; index < written; index += 1) bytes[index] = PARTNERS[bytes[index] ?? 0] ?? 0
  return decoder.decode(bytes.subarray(0, written))
}

function toPartners(pairs: readonly string[]): Uint8Array {
  const partners = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  for (const pair of pairs) {
    const [one = 0, other = 0] = encoder.encode(pair)
    partners[one] = other
    partners[other] = one
  }
  return partners
}
