import type { BinsRecord, UserVisitor } from '../core/record.ts'
import { freshRecord } from './fresh.ts'
import type { ServerParts } from './parts.ts'
import { type Token, visitorKey, visitorTag } from './token.ts'
import type { RequestUser } from './user.ts'

/** Visitors of one user that are remembered: whoever logged in before them cannot be revoked any more. */
const MAX_VISITORS = 100

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
    return { next: withVisitor(found ?? freshRecord(parts), its), result: undefined }
  })
}

function withVisitor(record: BinsRecord, its: UserVisitor): BinsRecord {
  const others = (record.visitors ?? []).filter(({ tag }) => tag !== its.tag)
  return { ...record, visitors: [...others, its].slice(-MAX_VISITORS) }
}
