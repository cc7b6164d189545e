import type { MergeBin } from './merge.ts'
import {
  bounded,
  EMPTY_ROW,
  keptOf,
  type PendingOp,
  type Replica,
  sentWith,
  withRejected,
} from './replica.ts'

/** How the edits of one replica come to another. */
export interface AdoptOptions {
  /** What an edit was made on, for its new owner. Default: nothing of the new owner's. */
  readonly rebase?: (from: PendingOp['from']) => PendingOp['from']
  /** Whether a bin lets no edit win because it is the later one. Default: all do. */
  readonly isMerged?: (bin: string) => boolean
  /** Merges two edits of a bin. Default: nothing is merged. */
  readonly merge?: MergeBin
}

/** Moves the unsent edits of one replica on top of another. */
export function adopt(
  into: Replica,
  from: Replica,
  { rebase = () => null, isMerged = () => false, merge = () => undefined }: AdoptOptions = {},
): Replica {
  let replica = into
  const ops = [...from.rows]
    .filter(([, row]) => row.op)
    .sort(([, a], [, b]) => (a.op?.n ?? 0) - (b.op?.n ?? 0))
  for (const [bin, former] of ops) {
    const { op } = former
    if (!op) continue
    const row = replica.rows.get(bin) ?? EMPTY_ROW
    const both = row.op && merge(bin, { base: op.from?.kept, mine: op.kept, theirs: row.op.kept })
    if (both === undefined && row.op && (op.strict || isMerged(bin))) {
      replica = withRejected(replica, bin, op.kept, 'the bin holds an edit that this edit was not made on')
      continue
    }
    if (both === undefined && row.op && row.op.at > op.at) continue
    const base = both === undefined || !row.op ? { from: rebase(op.from) } : { from: row.op.from }
    // Its new replica counts by itself.
    const { kept, edit: _, ...rest } = op
    const n = Math.max(replica.meta.last + 1, op.n)
    const text = both === undefined ? kept : (both ?? undefined)
    // The owner of the former may come back.
    const sent = bounded([...sentWith(row), ...sentWith(former)].sort((a, b) => a.n - b.n))
    const moved: PendingOp = { ...rest, ...base, ...keptOf(text), n, offered: false }
    replica = {
      rows: new Map(replica.rows).set(bin, { ...row, op: moved, sent }),
      meta: { ...replica.meta, last: n },
    }
  }
  return replica
}
