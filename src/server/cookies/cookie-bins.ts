import type { Definition } from '../../core/definition/definition.ts'
import { type OnEvent, report } from '../../core/event.ts'
import type { KeptText } from '../../core/reader.ts'
import { isRenewedByReading, lifetimeOf } from '../../core/sync/renewal.ts'
import { nobody } from '../errors.ts'
import type { Change, Jar } from '../http/cookie-jar.ts'
import type { CookieValues } from './cookie-codec.ts'

/** The cookie bins of one request. */
export interface CookieBins {
  /** What a bin holds, if its cookie is there, genuine and not expired. */
  find(definition: Definition): KeptText | undefined
  /**
   * Sets or deletes a bin's cookie.
   *
   * @throws {@link BinsError} `TOO_LARGE`; `NO_VISITOR` if it is to belong to somebody, and nobody is there. Nothing is
   * changed.
   */
  set(definition: Definition, text: string | null): void
  /** Starts the lifetime of a bin anew that is read, if it is time. */
  renew(definition: Definition): void
  /** Makes the changes so far last, whatever {@link CookieBins.discard} takes back. */
  keep(): void
  /** Takes back what was set since {@link CookieBins.keep}. */
  discard(): void
  /** Names of the bins whose changes were not made to last. */
  unsaved(): string[]
}

/** Circumstances of {@link openCookieBins}. */
export interface CookieBinsOptions {
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** Tag of whom the cookies of a bin belong to in this request: empty for everybody, `undefined` where nobody is there. */
  readonly tagOf: (definition: Definition) => string | undefined
  /** Receives what is not for a visitor's eyes. */
  readonly onEvent: OnEvent | undefined
}

interface Found {
  readonly kept: KeptText
  /** In seconds since the Unix epoch; 0 = when the browser closes. */
  readonly expires: number
}

interface Draft {
  readonly definition: Definition
  /** What the jar was to do before. */
  readonly before: Change | undefined
}

/** Opens the cookie bins of a request. */
export function openCookieBins(
  jar: Jar,
  { nameOf, parse, format }: CookieValues,
  { clock, tagOf, onEvent }: CookieBinsOptions,
): CookieBins {
  const known = new Map<string, Found | undefined>()
  const drafts = new Map<string, Draft>()

  function find(definition: Definition): Found | undefined {
    if (!known.has(definition.name)) known.set(definition.name, read(definition))
    return known.get(definition.name)
  }

  function read(definition: Definition): Found | undefined {
    const { name: bin, browser } = definition
    const name = nameOf(bin)
    const tag = tagOf(definition)
    if (tag === undefined) return undefined
    const values = jar.values(name)
    if (values.length > 1) report(onEvent, { type: 'duplicate-cookie', name })
    // Of several, only a signature tells which one is ours.
    const candidates = browser === 'write' ? values.slice(0, 1) : values
    for (const value of candidates) {
      const cookie = parse(definition, value, tag)
      if (!cookie) {
        report(onEvent, { type: 'unreadable', bin, reason: browser === 'write' ? 'unreadable' : 'tampered' })
      } else if (cookie.expires !== 0 && cookie.expires * 1_000 <= clock()) {
        report(onEvent, { type: 'unreadable', bin, reason: 'expired' })
      } else {
        const { text, version, expires } = cookie
        return { kept: { text, version, trusted: browser !== 'write' }, expires }
      }
    }
    return undefined
  }

  function put(definition: Definition, text: string, expires: number): void {
    const { name: bin, browser, version } = definition
    const name = nameOf(bin)
    const tag = tagOf(definition)
    if (tag === undefined) throw nobody(definition)
    const at = Math.floor(clock() / 1_000)
    const value = format(definition, { version, at, expires, text }, tag)
    jar.checkSize(bin, value)
    const maxAge = expires === 0 ? undefined : expires - at
    jar.set(name, value, { httpOnly: browser === 'none', maxAge })
    known.set(bin, { kept: { text, version, trusted: browser !== 'write' }, expires })
  }

  return {
    find: (definition) => find(definition)?.kept,

    renew(definition) {
      if (definition.renew !== 'read') return
      const found = find(definition)
      // What is of another version is for a write to bring up to date.
      if (!found || found.kept.version !== definition.version) return
      const now = clock()
      if (!isRenewedByReading(definition, found.expires * 1_000, now)) return
      put(definition, found.kept.text, Math.floor((now + lifetimeOf(definition)) / 1_000))
    },

    set(definition, text) {
      const { name: bin, browser, maxAge, renew } = definition
      const name = nameOf(bin)
      const draft = drafts.get(name) ?? { definition, before: jar.changes.get(name) }
      if (text === null) {
        jar.delete(name, { httpOnly: browser === 'none' })
        known.set(bin, undefined)
      } else {
        const at = Math.floor(clock() / 1_000)
        const until = renew === 'never' ? find(definition)?.expires : undefined
        put(definition, text, maxAge === 'session' ? 0 : until || at + maxAge)
      }
      drafts.set(name, draft)
    },

    keep: () => drafts.clear(),

    discard() {
      for (const [name, { definition, before }] of drafts) {
        jar.restore(name, before)
        known.delete(definition.name)
      }
      drafts.clear()
    },

    unsaved: () => [...drafts.values()].map(({ definition }) => definition.name),
  }
}
