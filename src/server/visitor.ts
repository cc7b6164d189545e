import { BinsError } from '../core/error.ts'
import { report } from '../core/event.ts'
import { MAX_COOKIE_AGE } from '../core/limits.ts'
import { type BinsRecord, createRecord } from '../core/record.ts'
import type { Jar } from './jar.ts'
import type { ServerParts } from './server.ts'
import { formatToken, hashSecret, mintToken, opens, parseToken, type Token, visitorKey, visitorTag } from './token.ts'

/** Who sends a request. */
export interface RequestVisitor {
  /** Finds out who it is: reads the record in the default store if the request has a token. Asks once. */
  load(): Promise<void>
  /** The visitor's token; `undefined` when there is no visitor, or before {@link RequestVisitor.load}. */
  readonly token: Token | undefined
  /** The visitor's record in the default store, as it was loaded. */
  readonly record: BinsRecord | undefined
  /** The cleared record that the request's token belongs to. */
  readonly erased: BinsRecord | undefined
  /**
   * Makes a visitor, once in a request.
   *
   * @throws {@link BinsError} `NO_VISITOR` on a cross-site request: its cookie may just be missing, and a new one would
   * replace the real visitor's.
   */
  mint(): Token
  /** Makes the record of a visitor in the default store. */
  createHead(token: Token): BinsRecord
  /** Notes in a record until when its cookie lives; the same record if the cookie that is there lives long enough. */
  renew(record: BinsRecord, until: number): BinsRecord
  /** Sets the visitor's cookies, to live as long as the record says. */
  present(token: Token, cookieUntil: number): void
  /** Deletes the visitor's cookies. */
  dismiss(): void
  /** Id of the browser session, if its cookie is there. */
  readonly session: string | undefined
  /** Id of the browser session; starts one if there is none. */
  startSession(): string
}

/** Margin by which the visitor cookie outlives the data: renewed that seldom. */
const SLACK = 0.1

const DAY = 86_400_000

/** Prepares to find out who sends a request. */
export function openVisitor(
  { records, clock, random, onEvent }: ServerParts,
  jar: Jar,
  { isCrossSite }: { isCrossSite: () => boolean },
): RequestVisitor {
  let loading: Promise<void> | undefined
  let token: Token | undefined
  let record: BinsRecord | undefined
  let erased: BinsRecord | undefined

  async function load(): Promise<void> {
    for (const value of jar.values(jar.visitorName)) {
      const candidate = parseToken(value)
      if (!candidate) continue
      const found = await records('default').read(visitorKey(candidate))
      if (!found || !opens(candidate, found)) continue
      if (found.erased === undefined) {
        token = candidate
        record = found
      } else {
        erased = found
      }
      return
    }
    if (jar.values(jar.visitorName).length > 0) report(onEvent, { type: 'unknown-visitor' })
  }

  function sessionId(): string | undefined {
    const id = jar.values(jar.sessionName)[0]
    return id !== undefined && /^[\w-]{8,32}$/.test(id) ? id : undefined
  }

  return {
    load() {
      loading ??= load()
      return loading
    },
    get token() {
      return token
    },
    get record() {
      return record
    },
    get erased() {
      return erased
    },
    mint() {
      if (isCrossSite()) {
        throw new BinsError('NO_VISITOR', 'A cross-site request cannot make a visitor; ask from a page of this site.')
      }
      token = mintToken(random)
      record = undefined
      return token
    },
    createHead: ({ secret }) => newRecord({ now: clock(), random, secrets: [hashSecret(secret)] }),
    renew(before, until) {
      const now = clock()
      const longest = now + MAX_COOKIE_AGE * 1_000
      if (before.cookieUntil >= Math.min(until, longest - DAY)) return before
      return { ...before, cookieUntil: Math.min(Math.round(until + (until - now) * SLACK), longest) }
    },
    present(owner, cookieUntil) {
      const maxAge = Math.round((cookieUntil - clock()) / 1_000)
      jar.set(jar.visitorName, formatToken(owner), { httpOnly: true, maxAge })
      jar.set(jar.companionName, visitorTag(owner), { httpOnly: false, maxAge })
    },
    dismiss() {
      token = undefined
      record = undefined
      jar.delete(jar.visitorName, { httpOnly: true })
      jar.delete(jar.companionName, { httpOnly: false })
      jar.delete(jar.sessionName, { httpOnly: false })
    },
    get session() {
      return sessionId()
    },
    startSession() {
      const known = sessionId()
      if (known !== undefined) return known
      const id = random(12).toString('base64url')
      jar.set(jar.sessionName, id, { httpOnly: false })
      return id
    },
  }
}

/** Makes a record in any store. */
export function newRecord(options: {
  now: number
  random: (bytes: number) => Buffer
  secrets: readonly string[]
}): BinsRecord {
  const { now, random, secrets } = options
  return createRecord({ epoch: random(9).toString('base64url'), mark: freshMark(random), now, secrets })
}

/** The random part of a change's number. */
export function freshMark(random: (bytes: number) => Buffer): string {
  return random(4).toString('base64url')
}
