import { BinsError } from '../../core/error.ts'
import type { Jar } from '../http/cookie-jar.ts'
import { isCrossSite, mayRenewCookies, type RequestHead } from '../http/request-head.ts'
import { openUser, type RequestUser } from '../identity/user.ts'
import type { ServerParts } from '../parts.ts'
import { type Attachment, openAttachment } from './login.ts'
import { openVisitorRecords, type VisitorRecords } from './owner-records.ts'
import { openVisitor, type RequestVisitor } from './visitor.ts'

/** Whose bins a request is about: those of the visitor who sends it, and of the user who is logged in. */
export interface RequestOwner {
  /** Who sends it. */
  readonly visitor: RequestVisitor
  /** Who is logged in. */
  readonly user: RequestUser
  /** The records of both. */
  readonly records: VisitorRecords
  /** What ties them to each other. */
  readonly attachment: Attachment
  /**
   * Finds out who they are, and ties them to each other where that has changed. Asks once.
   *
   * @throws {@link BinsError} `STORE_FAILED`; what the application's `user` throws.
   */
  load(): Promise<void>
}

/** The cookie of a cross-site request may just be missing, and a new one would replace the real visitor's. */
function checkMint({ definitions, mints }: ServerParts, head: RequestHead): void {
  if (isCrossSite(head, definitions.cookie.sameSite)) {
    throw new BinsError(
      'NO_VISITOR',
      'A cross-site request cannot make a visitor; ask from a page of this site.',
    )
  }
  mints.check(head.request)
}

/** Prepares to find out whose bins a request is about. */
export function openOwner(
  parts: ServerParts,
  jar: Jar,
  { head, canSetCookie }: { head: RequestHead; canSetCookie: () => boolean },
): RequestOwner {
  const user = openUser(parts.login, head.request)
  const visitor = openVisitor(parts, jar, {
    user,
    mayMint: () => checkMint(parts, head),
  })
  const circumstances = { visitor, user, canSetCookie }
  const records = openVisitorRecords(parts, circumstances)
  const mayRenew = () => mayRenewCookies(head)
  const attachment = openAttachment(parts, { ...circumstances, records, mayRenewCookies: mayRenew })
  let loading: Promise<void> | undefined

  async function load(): Promise<void> {
    await visitor.load()
    await user.load()
    await attachment.settle()
  }

  return {
    visitor,
    user,
    records,
    attachment,
    load() {
      loading ??= load()
      return loading
    },
  }
}
