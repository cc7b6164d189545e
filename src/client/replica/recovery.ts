import { EMPTY_ROW, type Replica } from '../../core/sync/replica.ts'
import { adopt } from '../../core/sync/transfer.ts'
import type { Rows } from '../table/rows.ts'
import { changesTo, parseReplica, type ReplicaReading, tagsIn } from './replica-rows.ts'

/**
 * Moves rows back to where they belong, in one transaction: of replicas the edits that wait, and what the server has said of
 * bins; and all other rows that were changed meanwhile.
 *
 * @param kept The rows as they are now.
 * @param before The rows as they were when their place failed.
 */
export async function bringBack(
  rows: Rows,
  kept: ReadonlyMap<string, unknown>,
  before: ReadonlyMap<string, unknown>,
  reading: ReplicaReading,
): Promise<void> {
  await rows.change('', (all) => {
    const changes = new Map(changedRows(kept, before))
    for (const tag of tagsIn([...kept, ...before])) {
      const read = (rows: ReadonlyMap<string, unknown>) => parseReplica(rows, tag, reading)
      const now = read(kept)
      const learned = learn(read(all), now, read(before))
      for (const [key, row] of changesTo(all, tag, adopt(learned, now, { rebase: (from) => from }))) {
        changes.set(key, row)
      }
    }
    return changes
  })
}

/** Rows of no replica that were changed or deleted meanwhile. */
function changedRows(kept: ReadonlyMap<string, unknown>, before: ReadonlyMap<string, unknown>) {
  const keys = [...kept.keys(), ...before.keys()].filter((key) => tagsIn([[key]]).size === 0)
  const changed = keys.filter((key) => !isSame(kept.get(key), before.get(key)))
  return changed.map((key): [string, unknown] => [key, kept.get(key)])
}

/** A replica with what was learned meanwhile, and without edits that came along and do not wait any more. */
function learn(present: Replica, now: Replica, former: Replica): Replica {
  // Where another tab has heard from the server since, it knows better.
  const isNews = isSame(present.meta.cursors, former.meta.cursors)
  const rows = new Map(present.rows)
  for (const bin of new Set([...present.rows.keys(), ...now.rows.keys()])) {
    const [row = EMPTY_ROW, own = EMPTY_ROW, before = EMPTY_ROW] = [present, now, former].map((replica) =>
      replica.rows.get(bin),
    )
    const { op, known: heard, rejected: refused, sent } = row
    const isAnswered = before.op !== undefined && before.op.n === op?.n && before.op.n !== own.op?.n
    const known = isNews ? own.known : heard
    const rejected = isSame(own.rejected, before.rejected) ? refused : own.rejected
    rows.set(bin, {
      v: 1,
      sent,
      ...(known ? { known } : {}),
      ...(op && !isAnswered ? { op } : {}),
      ...(rejected ? { rejected } : {}),
    })
  }
  return { rows, meta: { ...present.meta, ...(isNews ? { cursors: now.meta.cursors } : {}) } }
}

/** Whether two things of JSON say the same. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
