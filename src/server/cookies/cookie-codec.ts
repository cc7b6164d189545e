import { type CookieText, formatPlain, parsePlain, toCookieName } from '../../core/cookie/cookie-format.ts'
import type { Definition, Definitions } from '../../core/definition/definition.ts'
import { openMemo } from '../records/cache.ts'
import type { Keys } from './keys.ts'

/** Names and values of the cookies of bins. */
export interface CookieValues {
  /** Full name of a bin's cookie. */
  nameOf(bin: string): string
  /**
   * Reads the value of a bin's cookie; `undefined` if it is not genuine. Whether it has expired is for the caller to see.
   *
   * @param tag Whom the cookie belongs to; empty for everybody.
   */
  parse(definition: Definition, value: string, tag: string): CookieText | undefined
  /** Writes the value of a bin's cookie, for whoever has the tag. */
  format(definition: Definition, cookie: CookieText, tag: string): string
}

/** What a value is signed or sealed under, besides the key. */
interface Label {
  readonly name: string
  readonly tag: string
}

/** Most bytes that the remembered values of a server may take. */
const MAX_BYTES = 8 * 1_024 ** 2

/**
 * Opens the cookies' names and values. A browser sends the same value again and again: what a genuine one holds is
 * remembered by the whole value, so that no part of it goes unchecked.
 */
export function openCookieValues(
  { names, cookie: { prefix } }: Definitions,
  keys: Keys | undefined,
): CookieValues {
  const cookieNames = new Map(names.map((bin) => [bin, toCookieName(prefix, bin)]))
  const memo = openMemo<CookieText>(MAX_BYTES)

  function nameOf(bin: string): string {
    return cookieNames.get(bin) ?? toCookieName(prefix, bin)
  }

  function remember(name: string, value: string, cookie: CookieText): void {
    // A copy: V8 keeps all of the header for a slice of it.
    const own = Buffer.from(value).toString()
    memo.set(name, own, cookie, 200 + value.length + 2 * cookie.text.length)
  }

  function open({ browser }: Definition, { name, tag }: Label, value: string): CookieText | undefined {
    if (browser === 'write') return parsePlain(value)
    return browser === 'read' ? keys?.verify(name, tag, value) : keys?.unseal(name, tag, value)
  }

  function close({ browser }: Definition, { name, tag }: Label, cookie: CookieText): string {
    if (browser === 'write') return formatPlain(cookie)
    // serveBins refuses signed and sealed bins without secrets.
    const { sign, seal } = keys as Keys
    return browser === 'read' ? sign(name, tag, cookie) : seal(name, tag, cookie)
  }

  return {
    nameOf,
    parse(definition, value, tag) {
      const name = nameOf(definition.name)
      const known = memo.get(keyOf(name, tag), value)
      if (known) return known
      const cookie = open(definition, { name, tag }, value)
      if (cookie) remember(keyOf(name, tag), value, cookie)
      return cookie
    },
    format(definition, cookie, tag) {
      const name = nameOf(definition.name)
      const value = close(definition, { name, tag }, cookie)
      remember(keyOf(name, tag), value, cookie)
      return value
    },
  }
}

/** No cookie name holds a space. */
function keyOf(name: string, tag: string): string {
  return tag === '' ? name : `${name} ${tag}`
}
