import { BinsError } from '../core/error.ts'
import { report } from '../core/event.ts'
import type { BinsRecord } from '../core/record.ts'
import type { Jar } from './jar.ts'
import type { ServerParts } from './server.ts'
import { formatToken, mintToken, opens, parseToken, type Token, visitorKey, visitorTag } from './token.ts'

/** Who sends a request. */
export interface RequestVisitor {
  /**
   * Finds out who it is: reads the record in the default store if the request has a token. Asks once.
   *
   * @throws {@link BinsError} `STORE_FAILED`, and then every time: what is not known must not be changed.
   */
  load(): Promise<void>
  /** The visitor's token; `undefined` when there is no visitor, or before {@link RequestVisitor.load}. */
  readonly token: Token | undefined
  /** Whether this request has made the visitor. */
  readonly isNew: boolean
  /** The visitor's record in the default store, as it was loaded. */
  readonly record: BinsRecord | undefined
  /** The cleared visitor that the request's token belongs to, and when it was cleared. */
  readonly erased: { readonly tag: string; readonly at: number } | undefined
  /**
   * Whether the request's token belongs to a record that a newer version of Breadbin wrote. There is no telling whose
   * it is, and nothing may be written for it.
   */
  readonly isUnreadable: boolean
  /**
   * Makes a visitor.
   *
   * @throws {@link BinsError} `NO_VISITOR` on a cross-site request: its cookie may just be missing, and a new one would
   * replace the real visitor's.
   */
  mint(): void
  /** Sets a visitor's cookies, to end at `until`, in ms since the Unix epoch. */
  present(owner: Token, until: number): void
  /** Deletes the visitor's cookies. */
  dismiss(): void
  /** Id of the browser session, if there is one. */
  readonly session: string | undefined
  /** Starts a browser session if there is none. */
  startSession(): void
  /** Sets the cookie of a session that was started. */
  presentSession(): void
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/** Most visitor cookies that are looked up: each costs a read, and a browser in order sends one. */
const MAX_CANDIDATES = 4

/** Prepares to find out who sends a request. */
export function openVisitor(
  { records, clock, random, onEvent }: ServerParts,
  jar: Jar,
  { isCrossSite }: { isCrossSite: () => boolean },
): RequestVisitor {
  let loading: Promise<void> | undefined
  const [sentSession] = jar.values(jar.sessionName)
  let isSessionNew = false

  async function load(): Promise<void> {
    const values = jar.values(jar.visitorName)
    if (values.length === 0) return
    const candidates = values.map(parseToken).filter((candidate) => candidate !== undefined)
    for (const candidate of candidates.slice(0, MAX_CANDIDATES)) if (await recognize(candidate)) return
    report(onEvent, { type: 'unknown-visitor' })
  }

  /** Looks a token up; tells whether it belongs to anybody. */
  async function recognize(candidate: Token): Promise<boolean> {
    const found = await records('default').read(visitorKey(candidate))
    if (found === 'unreadable') {
      visitor.isUnreadable = true
      return true
    }
    if (!found || !opens(candidate, found)) return false
    if (found.erased !== undefined) {
      visitor.erased = { tag: visitorTag(candidate), at: found.erased }
      return true
    }
    visitor.token = candidate
    visitor.record = found
    return true
  }

  const visitor: Writable<RequestVisitor> = {
    token: undefined,
    isNew: false,
    record: undefined,
    erased: undefined,
    isUnreadable: false,
    session: sentSession !== undefined && /^[\w-]{8,32}$/.test(sentSession) ? sentSession : undefined,
    load() {
      loading ??= load()
      return loading
    },
    mint() {
      if (isCrossSite()) {
        throw new BinsError(
          'NO_VISITOR',
          'A cross-site request cannot make a visitor; ask from a page of this site.',
        )
      }
      visitor.token = mintToken(random)
      visitor.isNew = true
      visitor.record = undefined
    },
    present(owner, until) {
      const maxAge = Math.round((until - clock()) / 1_000)
      jar.set(jar.visitorName, formatToken(owner), { httpOnly: true, maxAge })
      jar.set(jar.companionName, visitorTag(owner), { httpOnly: false, maxAge })
    },
    dismiss() {
      visitor.token = undefined
      visitor.isNew = false
      visitor.record = undefined
      visitor.session = undefined
      isSessionNew = false
      jar.delete(jar.visitorName, { httpOnly: true })
      jar.delete(jar.companionName, { httpOnly: false })
      jar.delete(jar.sessionName, { httpOnly: false })
    },
    startSession() {
      if (visitor.session !== undefined) return
      visitor.session = random(12).toString('base64url')
      isSessionNew = true
    },
    presentSession() {
      if (!isSessionNew || visitor.session === undefined) return
      jar.set(jar.sessionName, visitor.session, { httpOnly: false })
      isSessionNew = false
    },
  }
  return visitor
}
