import { BARE_AGE } from '../../core/limits.ts'
import { type BinsRecord, erase, type Link, liveUntil } from '../../core/sync/record.ts'
import { gone, unreadableRecord } from '../errors.ts'
import { isShared, renewCookie } from '../identity/devices.ts'
import { addLink } from '../identity/links.ts'
import { deviceOf, replaceSecret } from '../identity/secret-rotation.ts'
import { hashSecret, mintToken, type Token, visitorKey } from '../identity/token.ts'
import type { RequestUser } from '../identity/user.ts'
import type { ServerParts } from '../parts.ts'
import { newMark, newRecord } from '../records/new-record.ts'
import { isUserPlace, storeOf } from '../records/record-ref.ts'
import { noteVisitor } from './users.ts'
import type { RequestVisitor } from './visitor.ts'

/**
 * The records of a visitor: one in each store that holds a bin of theirs, and always one in the default store. That one
 * knows the secret and how long the cookie lives, which must be as long as any of the bins. And those of the user who is
 * logged in, whose places begin with `user/`.
 */
export interface VisitorRecords {
  /**
   * Reads the record of a place; `undefined` if there is none, or none that can be read.
   *
   * @throws {@link BinsError} `STORE_FAILED`.
   */
  read(place: string): Promise<BinsRecord | undefined>
  /**
   * Reads the record of a place past all caches; `undefined` if there is none.
   *
   * @throws {@link BinsError} `STORE_FAILED`, also if the record cannot be read; `GONE` if it is not for this visitor.
   */
  readFresh(place: string): Promise<BinsRecord | undefined>
  /**
   * Changes the record of a place, which is made if there is none, and sets the visitor's cookies where they would end
   * before the bins do.
   *
   * @param change Pure: it may run several times.
   * @returns What `change` returned, and the record as it was written; `undefined` if the visitor has expired.
   * @throws {@link BinsError} `GONE` if the visitor was cleared, or revoked by the user; what `change` throws; `CONFLICT`,
   * `STORE_FAILED`.
   */
  change<Changed extends { readonly record: BinsRecord }>(
    place: string,
    change: (record: BinsRecord) => Changed,
  ): Promise<Changed | undefined>
  /** Lets the visitor's cookies live until then at least. Returns whether the visitor is there. */
  extend(until: number): Promise<boolean>
  /**
   * Gives the visitor another secret, unless another request has done so, and sets the cookies. Whoever has the former
   * one has 30 s from when somebody comes with the new one, and at once nothing any more if that is not the user.
   *
   * @param login Key of the user who has just logged in: then nobody else has anything of the former secret any more.
   */
  rotate(login?: string): Promise<void>
  /**
   * Notes a link that makes another device this visitor, whose cookies live as long as the link then. Returns whether the
   * visitor is there.
   *
   * @throws {@link BinsError} `GONE` if the visitor was cleared, or revoked by the user.
   */
  link(link: Link): Promise<boolean>
  /** Makes every record of the visitor a gravestone. */
  erase(): Promise<void>
  /** Deletes the visitor's cookies if no record holds anything. */
  dismissIfEmpty(): Promise<void>
  /**
   * Sets the visitor's cookies once more: soon after they were set, since that response may have got lost.
   *
   * @param options.always Whether to do so later, too: the browser may have lost one of them.
   */
  presentAgain(options: { always: boolean }): void
}

/** Circumstances of {@link openVisitorRecords}. */
export interface Circumstances {
  /** Who sends the request. */
  readonly visitor: RequestVisitor
  /** Who is logged in. */
  readonly user: RequestUser
  /** Whether a response is there to take cookies. */
  readonly canSetCookie: () => boolean
}

/** Opens the records of a visitor. All but `read` need its token. */
export function openVisitorRecords(
  parts: ServerParts,
  { visitor, user, canSetCookie }: Circumstances,
): VisitorRecords {
  const { stores, records, clock, random, visitorAge } = parts
  const otherStores = stores.filter((store) => store !== 'default')

  function owner(): Token {
    if (visitor.token) return visitor.token
    throw new TypeError('There is no visitor; make one first.')
  }

  function key(): string {
    return visitorKey(owner())
  }

  /** Key of the user's records; `undefined` if they are not for this visitor. */
  function keyOfUser(): string | undefined {
    return visitor.record?.revoked === user.key ? undefined : (user.key ?? undefined)
  }

  async function changeHead<Changed extends { readonly record: BinsRecord }>(
    change: (record: BinsRecord) => Changed,
    until: number,
  ): Promise<Changed | undefined> {
    const token = owner()
    // First, since whoever is not listed cannot be revoked.
    if (visitor.isNew && typeof user.key === 'string') await noteVisitor(parts, user, token)
    const done = await records('default').change(visitorKey(token), (found) => {
      if (found?.erased !== undefined) throw gone()
      if (!found && !visitor.isNew) return { result: undefined }
      const changed = change(found ?? newHead(token))
      const now = clock()
      const record = canSetCookie()
        ? renew(changed.record, Math.max(until, liveUntil(changed.record, now)), token)
        : changed.record
      return {
        next: record,
        result: { changed: { ...changed, record }, isRenewed: record !== changed.record },
      }
    })
    if (done) visitor.record = done.changed.record
    if (done?.isRenewed) visitor.present(done.changed.record)
    return done?.changed
  }

  /** Lets the cookie of the device live longer that a token belongs to. */
  function renew(record: BinsRecord, until: number, token: Token): BinsRecord {
    return renewCookie(record, until, { now: clock(), age: visitorAge, secret: deviceOf(token, record) })
  }

  function newHead({ secret }: Token): BinsRecord {
    const { key: its } = user
    return {
      ...newRecord(parts),
      secrets: [hashSecret(secret)],
      ...(typeof its === 'string' ? { user: its } : {}),
    }
  }

  /** Changes the record of the user in a store. The visitor must be there, and live as long. */
  async function changeOfUser<Changed extends { readonly record: BinsRecord }>(
    place: string,
    change: (record: BinsRecord) => Changed,
  ): Promise<Changed | undefined> {
    const its = keyOfUser()
    if (its === undefined) throw gone()
    if (!(await extend(0))) return undefined
    const changed = await records(storeOf(place)).change(its, (found) => {
      const result = change(found ?? newRecord(parts))
      return { next: result.record, result }
    })
    await extend(liveUntil(changed.record, clock()))
    return changed
  }

  async function extendWith(change: (record: BinsRecord) => BinsRecord, until: number): Promise<boolean> {
    const changed = await changeHead((record) => ({ record: change(record) }), until)
    return changed !== undefined
  }

  const extend = (until: number) => extendWith((record) => record, until)

  return {
    async read(place) {
      const isOfUser = isUserPlace(place)
      if (!isOfUser && (!visitor.token || place === 'default')) return visitor.record
      const its = isOfUser ? keyOfUser() : key()
      if (its === undefined) return undefined
      const record = await records(storeOf(place)).read(its)
      return record === 'unreadable' || record?.erased !== undefined ? undefined : record
    },

    async readFresh(place) {
      const its = isUserPlace(place) ? keyOfUser() : key()
      if (its === undefined) throw gone()
      const record = await records(storeOf(place)).read(its, { fresh: true })
      if (record === 'unreadable') throw unreadableRecord()
      if (record?.erased !== undefined) throw gone()
      return record
    },

    async change(place, change) {
      if (isUserPlace(place)) return changeOfUser(place, change)
      if (place === 'default') return changeHead(change, 0)
      const changed = await records(place).change(key(), (found) => {
        if (found?.erased !== undefined) throw gone()
        const result = change(found ?? newRecord(parts))
        return { next: result.record, result }
      })
      // In this order, since dismissIfEmpty notes in the head that the cookies go, and then looks here: it either finds
      // this bin, or is found out now.
      return (await extend(liveUntil(changed.record, clock()))) ? changed : undefined
    },

    extend,

    async rotate(login) {
      const token = owner()
      const next: Token = { ...mintToken(random), id: token.id }
      const rotated = await records('default').change(visitorKey(token), (found) => {
        const now = clock()
        const isThere = found && found.erased === undefined
        const replaced = isThere && replaceSecret(found, { token, next, now, login })
        if (!replaced) return { result: undefined }
        const record = renew(replaced, Math.max(replaced.cookieUntil, now + BARE_AGE), next)
        return { next: record, result: record }
      })
      if (!rotated) return
      visitor.replace(next)
      visitor.record = rotated
      visitor.present(rotated)
    },

    link: (link) => extendWith((record) => addLink(record, link, clock()), link.until),

    async erase() {
      // The default store comes last: as long as its record opens, clearing can be tried again.
      for (const store of [...otherStores, 'default']) {
        await records(store).change(key(), (found) => {
          if (found?.erased !== undefined || (!found && store === 'default')) return { result: undefined }
          // Also where there is none yet: a write that is under way must not make one.
          return { next: erase(found ?? newRecord(parts), clock(), newMark(random)), result: undefined }
        })
      }
    },

    presentAgain({ always }) {
      const { token, record } = visitor
      if (!token || record?.cookieAt === undefined) return
      const isDue = always || clock() - record.cookieAt < BARE_AGE
      if (isDue && record.cookieUntil > clock()) visitor.present(record)
    },

    async dismissIfEmpty() {
      // A user's bins are found under the visitor's cookie, too.
      if (!canSetCookie() || typeof user.key === 'string') return
      const isEmpty = await records('default').change(key(), (found) => {
        if (!found || found.erased !== undefined || liveUntil(found, clock()) > 0) return { result: false }
        // Without the cookie, the device would not be the same visitor as the others any more.
        if (isShared(found, clock())) return { result: false }
        return { next: { ...found, cookieUntil: 0 }, result: true }
      })
      if (!isEmpty) return
      let until = 0
      for (const store of otherStores) {
        const record = await records(store).read(key(), { fresh: true })
        if (record === 'unreadable') throw unreadableRecord()
        if (record) until = Math.max(until, liveUntil(record, clock()))
      }
      if (until === 0) visitor.dismiss()
      else await extend(until)
    },
  }
}
