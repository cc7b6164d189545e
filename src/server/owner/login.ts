import type { Op } from '../../core/sync/apply-edits.ts'
import type { BinsRecord } from '../../core/sync/record.ts'
import { retireFormer } from '../identity/secret-rotation.ts'
import { hashSecret, type Token, visitorTag } from '../identity/token.ts'
import type { ServerParts } from '../parts.ts'
import { userPlace } from '../records/record-ref.ts'
import type { Circumstances, VisitorRecords } from './owner-records.ts'
import { openAdoption } from './transfer.ts'
import { noteVisitor } from './users.ts'

/** What ties a visitor to the user who is logged in. */
export interface Attachment {
  /**
   * Brings a request's visitor up to date with who is logged in. After a login, what it has of bins of scope `'user'` is
   * merged into the user's, once, however many requests do so and wherever they end; and it gets another secret, as soon
   * as a response can carry one. A logout takes nothing along.
   */
  settle(): Promise<void>
  /** Merges what was written for the visitor, and belongs to the user. */
  merge(): Promise<void>
}

/** Circumstances of {@link openAttachment}. */
export interface AttachmentOptions extends Circumstances {
  /** The visitor's records. */
  readonly records: VisitorRecords
  /** Whether the response may set cookies that nobody has asked for. */
  readonly mayRenewCookies: () => boolean
}

/** Prepares to tie the visitor of a request to the user who is logged in. */
export function openAttachment(
  parts: ServerParts,
  { visitor, user, canSetCookie, records, mayRenewCookies }: AttachmentOptions,
): Attachment {
  const { userStores, showsUserBins, clock } = parts
  const adoption = openAdoption(parts, { isIncluded: ({ scope }) => scope === 'user' })

  async function settle(): Promise<void> {
    const { token, record } = visitor
    const { key } = user
    const mayRotate = canSetCookie() && mayRenewCookies()
    if (!token || !record) {
      if (mayRotate && showsUserBins && !visitor.isRetired) visitor.announce()
      return
    }
    if (key === undefined || key === (record.revoked ?? record.user ?? null)) {
      if (typeof key === 'string' && record.revoked === undefined && adoption.isDue(record)) await merge()
      if (visitor.isCurrent) {
        if (mayRotate && record.revoked === undefined) visitor.announce()
        return visitor.record && keep(visitor.record, token)
      }
      if (!mayRotate) return
      await records.rotate()
      if (!visitor.isCurrent && record.user !== undefined) visitor.announce()
      return
    }
    if (key !== null) await merge()
    // Until a response can say so, the browser does not know, and the record goes on as if nothing had happened.
    if (!mayRotate) return
    if (key === null) return leave()
    await noteVisitor(parts, user, token)
    await records.rotate(key)
  }

  async function leave(): Promise<void> {
    const left = await records.change('default', ({ user: _, revoked: __, links: ___, ...record }) => {
      return { record }
    })
    if (!left) return
    visitor.record = left.record
    visitor.present(left.record)
  }

  /** The browser has its present secret: its former ones may go. Its cookie lives as long as those of other devices. */
  async function keep(record: BinsRecord, token: Token): Promise<void> {
    const retire = (present: BinsRecord) => retireFormer(present, token, clock())
    if (retire(record) !== record) await records.change('default', (present) => ({ record: retire(present) }))
    const isBehind = record.cookieEnds?.[hashSecret(token.secret)] !== undefined
    if (isBehind && canSetCookie() && mayRenewCookies()) await records.extend(record.cookieUntil)
  }

  async function merge(): Promise<void> {
    for (const store of userStores) await mergeIn(store)
  }

  /** First into the user's record, then out of the visitor's: in between, the numbers of the ops tell what was done. */
  async function mergeIn(store: string): Promise<void> {
    const { token } = visitor
    const left = await records.readFresh(store)
    const ops = left ? adoption.opsOf(left) : []
    if (!token || ops.length === 0) return
    let done: readonly Op[] = []
    await records.change(userPlace(store), (record) => {
      const adopted = adoption.adopt(record, ops, `v.${visitorTag(token)}`)
      done = adopted.done
      return adopted
    })
    await records.change(store, (record) => ({ record: adoption.remove(record, done) }))
  }

  return { settle, merge }
}
