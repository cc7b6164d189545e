import { formatTags, parseTags } from '../../core/cookie/tags.ts'
import { report } from '../../core/event.ts'
import type { BinsRecord } from '../../core/sync/record.ts'
import type { Jar } from '../http/cookie-jar.ts'
import { cookieEnd } from '../identity/devices.ts'
import { LOST_MS, standingOf } from '../identity/secret-rotation.ts'
import {
  formatToken,
  hashSecret,
  mintToken,
  parseToken,
  type Token,
  visitorKey,
  visitorTag,
} from '../identity/token.ts'
import { type RequestUser, userTag } from '../identity/user.ts'
import type { ServerParts } from '../parts.ts'

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
  /** Whether the token is the one that was given out last; with any other, cookies are to stay as they are. */
  readonly isCurrent: boolean
  /** Whether the request's token was replaced, and opens nothing any more: nothing may be written for it. */
  readonly isRetired: boolean
  /** The visitor's record in the default store, as it was loaded, or as this request has left it. */
  record: BinsRecord | undefined
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
   * @throws {@link BinsError} `NO_VISITOR` if none may be made for this request.
   */
  mint(): void
  /** Takes notice of a token that replaces the request's. */
  replace(token: Token): void
  /** Sets the visitor's cookies, as the record in the default store has them; not if the token was replaced. */
  present(record: BinsRecord): void
  /**
   * Tells the browser who is logged in, where its companion cookie says otherwise: what it edits now is that user's. Also
   * where there is no visitor yet, and where the token was replaced, and the response with the next one may be lost.
   */
  announce(): void
  /** Deletes the visitor's cookies; not if the token was replaced. */
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
  { records, clock, random, visitorAge, onEvent }: ServerParts,
  jar: Jar,
  { user, mayMint }: { user: RequestUser; mayMint: () => void },
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
    const standing = found && standingOf(candidate, found, clock())
    if (!found || !standing || found.created + visitorAge <= clock()) return false
    if (found.erased !== undefined) {
      visitor.erased = { tag: visitorTag(candidate), at: found.erased }
      return true
    }
    // Whoever knew the token before its user logged in is not that user.
    const only = standing.kind === 'current' ? undefined : standing.former.user
    if (only !== undefined) await user.load()
    if (standing.kind === 'retired' || (only !== undefined && user.key !== only)) {
      report(onEvent, { type: 'retired-token' })
      // The browser may have a good one by now, which must stay; later, it has none.
      visitor.isRetired = standing.kind !== 'current' && clock() - standing.former.at < LOST_MS
      return visitor.isRetired
    }
    visitor.token = candidate
    visitor.isCurrent = standing.kind === 'current'
    visitor.record = found
    return true
  }

  const visitor: Writable<RequestVisitor> = {
    token: undefined,
    isNew: false,
    isCurrent: true,
    isRetired: false,
    record: undefined,
    erased: undefined,
    isUnreadable: false,
    session: sentSession !== undefined && /^[\w-]{8,32}$/.test(sentSession) ? sentSession : undefined,
    load() {
      loading ??= load()
      return loading
    },
    mint() {
      mayMint()
      visitor.token = mintToken(random)
      visitor.isNew = true
      visitor.record = undefined
    },
    replace(token) {
      visitor.token = token
      visitor.isCurrent = true
    },
    present(record) {
      const { token, isCurrent } = visitor
      if (!token || !isCurrent) return
      const { user: key } = record
      const maxAge = Math.round((cookieEnd(record, hashSecret(token.secret)) - clock()) / 1_000)
      const companion = formatTags({
        visitor: visitorTag(token),
        user: key === undefined ? null : userTag(key),
      })
      jar.set(jar.visitorName, formatToken(token), { httpOnly: true, maxAge })
      jar.set(jar.companionName, companion, { httpOnly: false, maxAge })
    },
    announce() {
      const { token, record } = visitor
      const [said] = jar.values(jar.companionName)
      const until = record?.cookieUntil ?? 0
      const maxAge = until > clock() ? Math.round((until - clock()) / 1_000) : undefined
      const life = { httpOnly: false, ...(maxAge === undefined ? {} : { maxAge }) }
      const before = said === undefined ? null : parseTags(said).user
      const present = typeof user.key === 'string' ? userTag(user.key) : null
      // A late answer to an earlier request may have deleted it.
      const isTold = before === present && (said !== undefined || !token)
      if (user.key === undefined || isTold) return
      if (present === null && !token) jar.delete(jar.companionName, { httpOnly: false })
      else
        jar.set(
          jar.companionName,
          formatTags({ visitor: token ? visitorTag(token) : '', user: present }),
          life,
        )
    },
    dismiss() {
      const { isCurrent } = visitor
      visitor.token = undefined
      visitor.isNew = false
      visitor.record = undefined
      visitor.session = undefined
      isSessionNew = false
      if (!isCurrent) return
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
