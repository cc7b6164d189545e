import { fromTrusted } from '../../core/definition/bin-text.ts'
import { type BinsRecord, forget, isLive, type UserVisitor } from '../../core/sync/record.ts'
import { type Token, visitorKey, visitorTag } from '../identity/token.ts'
import { type RequestUser, userKey } from '../identity/user.ts'
import type { ServerParts } from '../parts.ts'
import { newMark, newRecord } from '../records/new-record.ts'

/** Visitors of one user that are remembered: whoever logged in before them cannot be revoked any more. */
const MAX_VISITORS = 100

/** A visitor as which a user is, or was, logged in: one of the user's browsers. */
export interface VisitorOfUser {
  /** The visitor's name in public, as in `state.visitor.tag`. */
  readonly tag: string
  /** When the user logged in with it, in ms since the Unix epoch. */
  readonly since: number
  /** What `label` of `serveBins` called it. */
  readonly label?: string
}

/** What an application can do with a user's bins outside of a request of that user. */
export interface Users {
  /** The visitors with which a user has logged in, the last one last; at most 100. Logging out takes none off the list. */
  visitors(user: string): Promise<VisitorOfUser[]>
  /**
   * Takes the user's bins from the user's visitors: they read as absent there, and edits of them fail with `GONE`, until
   * the application says that somebody else is logged in, or nobody. It does not log anybody out of the application.
   *
   * @param options.except Tag of a visitor that keeps them: the one who asks.
   */
  revoke(user: string, options?: { except?: string }): Promise<void>
  /**
   * Deletes all bins of a user. Edits that were made before, on whatever device, and come later do not bring them back.
   */
  forget(user: string): Promise<void>
  /** All that is kept of a user: data of the bins by name, and the visitors. */
  export(user: string): Promise<{ bins: Record<string, unknown>; visitors: VisitorOfUser[] }>
}

/** Prepares what an application can do with users' bins. */
export function openUsers(parts: ServerParts): Users {
  const { definitions, userStores, records, clock, random } = parts

  async function readRecord(store: string, key: string): Promise<BinsRecord | undefined> {
    const record = await records(store).read(key, { fresh: true })
    return record === 'unreadable' ? undefined : record
  }

  async function visitors(user: string): Promise<VisitorOfUser[]> {
    const record = await readRecord('default', userKey(user))
    return (record?.visitors ?? []).map(({ key: _, ...visitor }) => visitor)
  }

  async function revokeOne(key: string, visitorKey: string): Promise<void> {
    await records('default').change(visitorKey, (found) => {
      if (!found || found.erased !== undefined) return { result: undefined }
      const { user: _, links: __, ...rest } = found
      return { next: { ...rest, revoked: key }, result: undefined }
    })
  }

  return {
    visitors,

    async revoke(user, { except } = {}) {
      const key = userKey(user)
      const record = await readRecord('default', key)
      const others = (record?.visitors ?? []).filter(({ tag }) => tag !== except)
      for (const visitor of others) await revokeOne(key, visitor.key)
      await records('default').change(key, (found) => {
        if (!found?.visitors) return { result: undefined }
        const left = found.visitors.filter(({ tag }) => !others.some((other) => other.tag === tag))
        return { next: { ...found, visitors: left }, result: undefined }
      })
    },

    async forget(user) {
      for (const store of new Set([...userStores, 'default'])) {
        await records(store).change(userKey(user), (found) => {
          const record = found ?? newRecord(parts)
          const epoch = random(9).toString('base64url')
          return { next: forget(record, { epoch, mark: newMark(random), now: clock() }), result: undefined }
        })
      }
    },

    async export(user) {
      const bins: Record<string, unknown> = {}
      for (const store of userStores) {
        const record = await readRecord(store, userKey(user))
        for (const [name, row] of record?.bins ?? []) {
          if (!isLive(row, clock(), undefined) || !definitions.knows(name)) continue
          const reading = fromTrusted(definitions.find(name), row)
          if ('data' in reading) bins[name] = reading.data
        }
      }
      return { bins, visitors: await visitors(user) }
    },
  }
}

/** Lists a visitor among those of the user who is logged in. */
export async function noteVisitor(parts: ServerParts, user: RequestUser, token: Token): Promise<void> {
  const { key } = user
  if (typeof key !== 'string') return
  const label = user.label()
  const its: UserVisitor = {
    tag: visitorTag(token),
    key: visitorKey(token),
    since: parts.clock(),
    ...(label === undefined ? {} : { label }),
  }
  await parts.records('default').change(key, (found) => {
    return { next: withVisitor(found ?? newRecord(parts), its), result: undefined }
  })
}

function withVisitor(record: BinsRecord, its: UserVisitor): BinsRecord {
  const others = (record.visitors ?? []).filter(({ tag }) => tag !== its.tag)
  return { ...record, visitors: [...others, its].slice(-MAX_VISITORS) }
}
