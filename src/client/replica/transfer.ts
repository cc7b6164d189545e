import { isUserTag } from '../../core/cookie/tags.ts'
import type { Definitions } from '../../core/definition/definition.ts'
import { isMerged, mergeBy } from '../../core/sync/merge.ts'
import type { PendingOp, Replica, ReplicaMeta } from '../../core/sync/replica.ts'
import { adopt } from '../../core/sync/transfer.ts'
import { changesTo, dropped, parseReplica, type ReplicaReading } from './replica-rows.ts'

/** From whom to whom a browser goes over. */
export interface Succession {
  /** Tag of the former owner; empty = a visitor that the server does not know yet. */
  readonly from: string
  /** Tag of the owner that follows. */
  readonly to: string
}

/** What becomes of the replicas of several owners in one browser: the rows to put and to delete, as `Rows.change` takes them. */
export interface Owners {
  /** Whether edits wait for the one that may go along to the other. */
  mayCarry(all: ReadonlyMap<string, unknown>, succession: Succession): boolean
  /** Lets the edits come along that were made after the given time, or all, and leaves nothing behind. */
  carry(
    all: ReadonlyMap<string, unknown>,
    succession: Succession & { readonly after?: number },
  ): Map<string, unknown>
  /**
   * Lets another visitor take the place: with all edits of one that was not known yet, or that the server has never
   * answered; else all of it stays where it is, for the case that its visitor comes back.
   */
  follow(all: ReadonlyMap<string, unknown>, succession: Succession): Map<string, unknown>
}

/** Opens the rules by which owners follow one another. */
export function openOwners(definitions: Definitions, reading: ReplicaReading): Owners {
  const merge = mergeBy(definitions)
  const parse = (all: ReadonlyMap<string, unknown>, owner: string) => parseReplica(all, owner, reading)

  const carry: Owners['carry'] = (all, { from, to, after = Number.NEGATIVE_INFINITY }) => {
    const { rows: left, meta } = parse(all, from)
    const recent = new Map([...left].filter(([, { op }]) => op && op.at > after))
    // An edit may come back to the visitor that it was made for.
    const rebase = (base: PendingOp['from']): PendingOp['from'] => {
      if (base?.owner !== to) return base && { owner: from, ...base }
      const { owner: _, ...its } = base
      return its
    }
    const into = parse(all, to)
    const { left: _, ...known } = into.meta
    // Where nobody was before, it goes on under its id: what may have been sent already is known by that.
    const client = known.last === 0 ? meta.client : known.client
    const adopted = adopt(
      { rows: into.rows, meta: { ...known, client } },
      { rows: recent, meta },
      { merge, rebase, isMerged: (bin) => definitions.knows(bin) && isMerged(definitions.find(bin)) },
    )
    return new Map([...dropped(all, from), ...changesTo(all, to, adopted)])
  }

  function mark(all: ReadonlyMap<string, unknown>, owner: string, marks: Pick<ReplicaMeta, 'left'>) {
    const { rows, meta } = parse(all, owner)
    const { left: _, ...known } = meta
    return changesTo(all, owner, { rows, meta: { ...known, ...marks } })
  }

  return {
    mayCarry(all, { from, to }) {
      const { rows, meta } = parse(all, from)
      // A user's edits are for that user alone.
      if (isUserTag(from) || isUserTag(to)) return false
      const isOurs = to === '' || from === '' || isUnanswered({ rows, meta })
      return isOurs && !meta.left && [...rows.values()].some(({ op }) => op)
    },
    carry,
    follow(all, { from, to }) {
      if (from === '' || isUnanswered(parse(all, from))) return carry(all, { from, to })
      return new Map([...mark(all, from, { left: true }), ...mark(all, to, {})])
    },
  }
}

/** Responses to requests without a cookie each make a visitor, and the last one stays: such a one never came to life. */
function isUnanswered({ meta }: Replica): boolean {
  return Object.keys(meta.cursors).length === 0
}
