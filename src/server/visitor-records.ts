import { BARE_AGE, MAX_COOKIE_AGE } from '../core/limits.ts'
import { type BinsRecord, createRecord, erase, liveUntil } from '../core/record.ts'
import { gone, unreadableRecord } from './errors.ts'
import type { ServerParts } from './server.ts'
import { hashSecret, type Token, visitorKey } from './token.ts'
import type { RequestVisitor } from './visitor.ts'

/**
 * The records of a visitor: one in each store that holds a bin of theirs, and always one in the default store. That one
 * knows the secret and how long the cookie lives, which must be as long as any of the bins.
 */
export interface VisitorRecords {
  /**
   * Reads the record in a store; `undefined` if there is none, or none that can be read.
   *
   * @throws {@link BinsError} `STORE_FAILED`.
   */
  read(store: string): Promise<BinsRecord | undefined>
  /**
   * Reads the record in a store past all caches; `undefined` if there is none.
   *
   * @throws {@link BinsError} `STORE_FAILED`, also if the record cannot be read.
   */
  readFresh(store: string): Promise<BinsRecord | undefined>
  /**
   * Changes the record in a store, which is made if there is none, and sets the visitor's cookies where they would end
   * before the bins do.
   *
   * @param change Pure: it may run several times.
   * @returns What `change` returned, and the record as it was written; `undefined` if the visitor has expired.
   * @throws {@link BinsError} `GONE` if the visitor was cleared; what `change` throws; `CONFLICT`, `STORE_FAILED`.
   */
  change<Changed extends { readonly record: BinsRecord }>(
    store: string,
    change: (record: BinsRecord) => Changed,
  ): Promise<Changed | undefined>
  /** Lets the visitor's cookies live until then at least. Returns whether the visitor is there. */
  extend(until: number): Promise<boolean>
  /** Makes every record a gravestone. */
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

const DAY = 86_400_000

/** Part of the time to come by which a cookie outlives the bins, so that not every write has to renew it. */
const SLACK = 0.1

/** Opens the records of a visitor. All but `read` need its token. */
export function openVisitorRecords(
  { stores, records, clock, random }: ServerParts,
  visitor: RequestVisitor,
  canSetCookie: () => boolean,
): VisitorRecords {
  const otherStores = stores.filter((store) => store !== 'default')

  function owner(): Token {
    if (visitor.token) return visitor.token
    throw new TypeError('There is no visitor; make one first.')
  }

  function key(): string {
    return visitorKey(owner())
  }

  function newRecord(): BinsRecord {
    return createRecord({ epoch: random(9).toString('base64url'), mark: freshMark(random), now: clock() })
  }

  async function changeHead<Changed extends { readonly record: BinsRecord }>(
    change: (record: BinsRecord) => Changed,
    until: number,
  ): Promise<Changed | undefined> {
    const token = owner()
    const done = await records('default').change(visitorKey(token), (found) => {
      if (found?.erased !== undefined) throw gone()
      if (!found && !visitor.isNew) return { result: undefined }
      const changed = change(found ?? { ...newRecord(), secrets: [hashSecret(token.secret)] })
      const now = clock()
      const record = canSetCookie()
        ? renew(changed.record, Math.max(until, liveUntil(changed.record, now)), now)
        : changed.record
      return {
        next: record,
        result: { changed: { ...changed, record }, isRenewed: record !== changed.record },
      }
    })
    if (done?.isRenewed) visitor.present(token, done.changed.record.cookieUntil)
    return done?.changed
  }

  async function extend(until: number): Promise<boolean> {
    const changed = await changeHead((record) => ({ record }), until)
    return changed !== undefined
  }

  return {
    async read(store) {
      if (!visitor.token || store === 'default') return visitor.record
      const record = await records(store).read(key())
      return record === 'unreadable' || record?.erased !== undefined ? undefined : record
    },

    async readFresh(store) {
      const record = await records(store).read(key(), { fresh: true })
      if (record === 'unreadable') throw unreadableRecord()
      if (record?.erased !== undefined) throw gone()
      return record
    },

    async change(store, change) {
      if (store === 'default') return changeHead(change, 0)
      const changed = await records(store).change(key(), (found) => {
        if (found?.erased !== undefined) throw gone()
        const result = change(found ?? newRecord())
        return { next: result.record, result }
      })
      // In this order, since dismissIfEmpty notes in the head that the cookies go, and then looks here: it either finds
      // this bin, or is found out now.
      return (await extend(liveUntil(changed.record, clock()))) ? changed : undefined
    },

    extend,

    async erase() {
      // The default store comes last: as long as its record opens, clearing can be tried again.
      for (const store of [...otherStores, 'default']) {
        await records(store).change(key(), (found) => {
          if (found?.erased !== undefined || (!found && store === 'default')) return { result: undefined }
          // Also where there is none yet: a write that is under way must not make one.
          return { next: erase(found ?? newRecord(), clock(), freshMark(random)), result: undefined }
        })
      }
    },

    presentAgain({ always }) {
      const { token, record } = visitor
      if (!token || record?.cookieAt === undefined) return
      const isDue = always || clock() - record.cookieAt < BARE_AGE
      if (isDue && record.cookieUntil > clock()) visitor.present(token, record.cookieUntil)
    },

    async dismissIfEmpty() {
      if (!canSetCookie()) return
      const isEmpty = await records('default').change(key(), (found) => {
        if (!found || found.erased !== undefined || liveUntil(found, clock()) > 0) return { result: false }
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

/** Notes until when the cookie lives; the same record if the cookie that is there lives long enough. */
function renew(record: BinsRecord, until: number, now: number): BinsRecord {
  const longest = now + MAX_COOKIE_AGE * 1_000
  if (record.cookieUntil >= Math.min(until, longest - DAY)) return record
  const cookieUntil = Math.min(Math.round(until + (until - now) * SLACK), longest)
  return { ...record, cookieUntil, cookieAt: now }
}

/** The random part of a change's number. */
export function freshMark(random: (bytes: number) => Buffer): string {
  return random(4).toString('base64url')
}
