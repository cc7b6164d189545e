import { type CookieText, formatPlain, parsePlain } from '../core/cookie.ts'
import type { Definition } from '../core/definition.ts'
import { type OnEvent, report } from '../core/event.ts'
import type { KeptText } from '../core/reader.ts'
import type { Jar } from './jar.ts'
import type { Keys } from './keys.ts'

/** The cookie bins of one request. */
export interface CookieBins {
  /** What a bin holds, if its cookie is there, genuine and not expired. */
  find(definition: Definition): KeptText | undefined
  /**
   * Sets or deletes a bin's cookie.
   *
   * @throws {@link BinsError} `TOO_LARGE`.
   */
  set(definition: Definition, text: string | null): void
}

/** Opens the cookie bins of a request. */
export function openCookieBins(
  jar: Jar,
  keys: Keys | undefined,
  { clock, onEvent }: { clock: () => number; onEvent: OnEvent | undefined },
): CookieBins {
  const opened = new Map<string, KeptText | undefined>()

  function open(definition: Definition): KeptText | undefined {
    const name = jar.binName(definition.name)
    const values = jar.values(name)
    if (values.length > 1) report(onEvent, { type: 'duplicate-cookie', name })
    const candidates = definition.browser === 'write' ? values.slice(0, 1) : values
    for (const value of candidates) {
      const cookie = parse(definition, name, value)
      if (!cookie) continue
      if (cookie.expires !== 0 && cookie.expires * 1_000 <= clock()) {
        report(onEvent, { type: 'unreadable', bin: definition.name, reason: 'expired' })
        continue
      }
      return { text: cookie.text, version: cookie.version, trusted: definition.browser !== 'write' }
    }
    return undefined
  }

  function parse({ name: bin, browser }: Definition, name: string, value: string): CookieText | undefined {
    if (browser === 'write') {
      const cookie = parsePlain(value)
      if (!cookie) report(onEvent, { type: 'unreadable', bin, reason: 'unreadable' })
      return cookie
    }
    const genuine = browser === 'read' ? keys?.verify(name, '', value) : keys?.unseal(name, '', value)
    if (!genuine) report(onEvent, { type: 'unreadable', bin, reason: 'tampered' })
    return genuine?.cookie
  }

  function format({ browser }: Definition, name: string, cookie: CookieText): string {
    if (browser === 'write') return formatPlain(cookie)
    // serveBins refuses signed and sealed bins without secrets.
    const { sign, seal } = keys as Keys
    return browser === 'read' ? sign(name, '', cookie) : seal(name, '', cookie)
  }

  return {
    find(definition) {
      if (!opened.has(definition.name)) opened.set(definition.name, open(definition))
      return opened.get(definition.name)
    },

    set(definition, text) {
      const { name: bin, browser, maxAge, renew, version } = definition
      const name = jar.binName(bin)
      const httpOnly = browser === 'none'
      if (text === null) {
        jar.delete(name, { httpOnly })
        opened.set(bin, undefined)
        return
      }
      const at = Math.floor(clock() / 1_000)
      const until = renew === 'never' ? expiryOf(definition, name) : undefined
      const expires = maxAge === 'session' ? 0 : (until ?? at + maxAge)
      const value = format(definition, name, { version, at, expires, text })
      jar.set(name, value, { httpOnly, maxAge: expires === 0 ? undefined : expires - at }, bin)
      opened.set(bin, { text, version, trusted: browser !== 'write' })
    },
  }

  /** When the cookie that is there expires, for a lifetime that writes do not restart. */
  function expiryOf(definition: Definition, name: string): number | undefined {
    for (const value of jar.values(name)) {
      const expires = parse(definition, name, value)?.expires
      if (expires !== undefined && expires * 1_000 > clock()) return expires
    }
    return undefined
  }
}
