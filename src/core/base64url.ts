import { decoder, encoder } from './utf8.ts'

/** Writes the UTF-8 bytes of a well-formed text as base64url without padding (RFC 4648 §5). */
export function toBase64url(text: string): string {
  let binary = ''
  // Neither `Array.from(…).join('')` nor `fromCharCode(...bytes)`: both take longer, and the second one's arguments are limited.
  for (const byte of encoder.encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/**
 * Reads what {@link toBase64url} has written. Reads other spellings, too: with padding, with white space, with bits that
 * no byte takes.
 *
 * @throws InvalidCharacterError for what is no base64, TypeError for what is no UTF-8.
 */
export function fromBase64url(base64url: string): string {
  const binary = atob(base64url.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = binary.charCodeAt(index)
  return decoder.decode(bytes)
}

/** Reads what {@link toBase64url} writes; `undefined` for anything else: each text has one spelling. */
export function parseBase64url(base64url: string): string | undefined {
  try {
    const text = fromBase64url(base64url)
    return toBase64url(text) === base64url ? text : undefined
  } catch {
    // What `fromBase64url` throws.
    return undefined
  }
}
