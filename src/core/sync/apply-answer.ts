import { fromBase64url } from '../base64url.ts'
import type { BinText } from '../definition/bin-text.ts'
import type { MergeBin } from './merge.ts'
import {
  EMPTY_ROW,
  editIn,
  type Known,
  keptOf,
  ownBase,
  type PendingOp,
  type Replica,
  type ReplicaRow,
  type SentOp,
  sentWith,
} from './replica.ts'
import type { AnswerPart, WireChange, WireResult } from './wire.ts'

/** What happened to an edit in an exchange. */
export type Outcome =
  | 'accepted'
  | 'merged'
  | 'superseded'
  | 'rejected'
  /** The server does not know its version yet, or this page not the server's: it waits. */
  | 'outdated'
  /** Only the page that made it can make it again: it waits. */
  | 'elsewhere'

/** Rules that an answer is absorbed by. */
export interface AbsorbRules {
  /** The present, in ms since the Unix epoch. */
  readonly now: number
  /** Store of a bin. */
  readonly storeOf: (bin: string) => string | undefined
  /** Cursor of the store when the request was sent. */
  readonly sentCursor: string | undefined
  /** Whether this version of the program can read what is kept. */
  readonly knowsVersion: (bin: string, kept: BinText | undefined) => boolean
  /** Merges by the definition's rule. */
  readonly merge: MergeBin
  /**
   * Computes a strict op anew on what is kept now, without the edits up to `seen`, which that was built with.
   * `undefined` if nobody is left to do so.
   */
  readonly recompute: (
    bin: string,
    op: PendingOp,
    seen: number,
    theirs: BinText | undefined,
  ) => BinText | null | undefined | 'elsewhere'
  /** Whether a page that is gone may still have something to say of what an op was made on. */
  readonly mayHear: (op: PendingOp) => boolean
}

/**
 * Takes in a part of an answer: results and changes together, the cursor last. May be given an answer twice, late, or
 * after a newer one: where another was taken in since the request was sent, this one counts as lost. What it would have
 * told comes with the next, and an op that is sent again is answered again.
 */
export function absorb(
  before: Replica,
  part: AnswerPart,
  rules: AbsorbRules,
): { replica: Replica; outcomes: Array<{ bin: string; outcome: Outcome }> } {
  const outcomes: Array<{ bin: string; outcome: Outcome }> = []
  if (before.meta.cursors[part.store] !== rules.sentCursor) return { replica: before, outcomes }
  let replica = before
  for (const result of part.results) {
    const settled = settle(replica, result, rules)
    replica = settled.replica
    if (settled.outcome) outcomes.push({ bin: result.bin, outcome: settled.outcome })
  }
  const rows = new Map(replica.rows)
  for (const change of part.changes) {
    const known = toKnown(change, rules.now)
    // An edit that waits keeps what it was made on: the server decides when it comes.
    if (known) rows.set(change.bin, { ...(rows.get(change.bin) ?? EMPTY_ROW), known })
  }
  if (part.reset) dropUnnamed(rows, part, rules)
  const cursors = { ...replica.meta.cursors, [part.store]: part.cursor }
  return { replica: { rows, meta: { ...replica.meta, cursors } }, outcomes }
}

/** Edits of a bin that may have been sent, oldest first. */
type OwnEdits = readonly SentOp[]

function settle(
  replica: Replica,
  result: WireResult,
  rules: AbsorbRules,
): { replica: Replica; outcome?: Outcome } {
  const row = replica.rows.get(result.bin) ?? EMPTY_ROW
  const { op } = row
  const own = [...row.sent, ...(op ? [op] : [])]
  const known = toKnown(result, rules.now) ?? (isApart(result) ? row.known : undefined) ?? NOTHING
  const put = (next: ReplicaRow): Replica => ({
    ...replica,
    rows: new Map(replica.rows).set(result.bin, next),
  })
  const { op: _, ...rest } = row
  const seen = Math.max(result.seen, row.seen ?? 0)
  const settled = { ...rest, known, seen, sent: row.sent.filter(({ n }) => n > result.seen) }

  if (op && editIn(op) <= result.seen) return { replica: put(settled), outcome: 'accepted' }
  if (!op) return { replica: put(settled) }
  // As long as the edit that waits is not moved onto what is known, the one that was seen is what both start from.
  const waiting = { ...rest, known, op }
  switch (result.state) {
    case 'ok':
    case 'dup': {
      // The server has an older edit of ours; the newer one was made on top of it.
      const seen = own.find(({ n }) => n === result.seen)
      if (!seen || seen.kept?.text !== known.kept?.text) return { replica: put(waiting) }
      return { replica: put({ ...settled, op: startFrom(op, known) }) }
    }
    case 'outdated':
      return { replica: put(waiting), outcome: 'outdated' }
    case 'conflict':
      // The page that is loaded next can merge.
      if (!rules.knowsVersion(result.bin, known.kept)) return { replica: put(waiting), outcome: 'outdated' }
      // The last words of a page that is gone tell what it has sent.
      if (isUnheardOf(result, row, own) && rules.mayHear(op)) return { replica, outcome: 'elsewhere' }
      return resolve(replica, { ...settled, op }, result, known, own, rules)
    case 'superseded':
      if (op.n !== result.n) return { replica: put(waiting) }
      // By an edit of our own that this one was made on.
      if (isKnownTo(op, own, result.seen, known))
        return moveOnto(replica, { ...settled, op }, result.bin, known)
      return { replica: put(settled), outcome: 'superseded' }
    default:
      if (op.n !== result.n) return { replica: put(waiting) }
      return {
        replica: put({
          ...settled,
          rejected: { ...keptOf(op.kept), issues: result.issues ?? [reasonOf(result)] },
        }),
        outcome: 'rejected',
      }
  }
}

/** Whether the server has an edit of this replica that is not known here. */
function isUnheardOf({ seen }: WireResult, row: ReplicaRow, own: OwnEdits): boolean {
  return seen > (row.seen ?? 0) && !own.some(({ n }) => n === seen)
}

const NOTHING: Known = { rev: 0, expires: Infinity }

/** Whether an op was refused without a look at the row: that the result has none does not mean that there is none. */
function isApart({ state }: WireResult): boolean {
  return state === 'invalid' || state === 'too-large' || state === 'outdated' || state === 'denied'
}

/** Decides a conflict between the waiting edit and what is kept now. */
function resolve(
  replica: Replica,
  row: ReplicaRow & { readonly op: PendingOp },
  { bin, seen }: WireResult,
  theirs: Known,
  own: OwnEdits,
  rules: AbsorbRules,
): { replica: Replica; outcome?: Outcome } {
  const { op } = row
  const put = (next: ReplicaRow, last = replica.meta.last): Replica => ({
    rows: new Map(replica.rows).set(bin, next),
    meta: { ...replica.meta, last },
  })
  if (isKnownTo(op, own, seen, theirs)) return moveOnto(replica, row, bin, theirs)
  const base = ancestorOf(op, own, seen)?.kept

  const recomputed = op.strict ? rules.recompute(bin, op, seen, theirs.kept) : undefined
  if (recomputed === 'elsewhere') return { replica, outcome: 'elsewhere' }
  const merged =
    recomputed === undefined ? rules.merge(bin, { base, mine: op.kept, theirs: theirs.kept }) : recomputed
  const { op: _, ...rest } = row
  if (merged === undefined) {
    const issues = [{ message: 'the bin holds data that this edit was not made on' }]
    return { replica: put({ ...rest, rejected: { ...keptOf(op.kept), issues } }), outcome: 'rejected' }
  }
  if (merged?.text === theirs.kept?.text) return { replica: put(rest), outcome: 'merged' }
  const n = Math.max(replica.meta.last + 1, op.n + 1)
  const { kept: __, ...made } = op
  const next: PendingOp = {
    ...startFrom(made, theirs),
    n,
    edit: editIn(op),
    ...keptOf(merged ?? undefined),
    offered: false,
  }
  // Repeated, the former is applied where that is not known which it was refused for: it has expired, or its server is lost.
  return { replica: put({ ...row, op: next, sent: sentWith(row) }, n), outcome: 'merged' }
}

/** What both sides start from: the last edit of ours that the server has built on, else what was edited. */
function ancestorOf(op: PendingOp, own: OwnEdits, seen: number): PendingOp['from'] | OwnEdits[number] {
  return own.findLast((one) => editIn(one) <= seen) ?? ownBase(op.from)
}

/** Whether the server holds nothing that an edit does not know of: also where nothing was known, and nothing is there. */
function isKnownTo(op: PendingOp, own: OwnEdits, seen: number, { kept }: Known): boolean {
  const ancestor = ancestorOf(op, own, seen)
  return (ancestor !== null || !kept) && ancestor?.kept?.text === kept?.text
}

/** Sends an edit once more, on what it knows of; unless that is the same. */
function moveOnto(
  replica: Replica,
  { op, ...rest }: ReplicaRow & { readonly op: PendingOp },
  bin: string,
  known: Known,
): { replica: Replica; outcome?: Outcome } {
  const isThere = known.kept !== undefined && op.kept?.text === known.kept.text
  const row = isThere ? rest : { ...rest, op: startFrom(op, known) }
  const moved = { ...replica, rows: new Map(replica.rows).set(bin, row) }
  return isThere ? { replica: moved, outcome: 'accepted' } : { replica: moved }
}

function startFrom(op: PendingOp, { rev, kept }: Known): PendingOp {
  return { ...op, from: { rev, ...keptOf(kept) } }
}

/** After a snapshot, what it does not name is not there. */
function dropUnnamed(rows: Map<string, ReplicaRow>, part: AnswerPart, { storeOf }: AbsorbRules): void {
  const named = new Set(
    [...part.changes, ...part.results].filter(({ rev }) => rev !== undefined).map(({ bin }) => bin),
  )
  for (const [bin, row] of rows) {
    if (named.has(bin) || storeOf(bin) !== part.store) continue
    const { known: _, ...rest } = row
    if (row.op || row.rejected) rows.set(bin, rest)
    else rows.delete(bin)
  }
}

function toKnown(row: Partial<WireChange>, now: number): Known | undefined {
  const { rev, sv, text, gone, ttl } = row
  if (rev === undefined || sv === undefined) return undefined
  if (gone || text === undefined) return { rev, expires: Infinity }
  const kept = { text: fromBase64url(text), version: sv }
  return { rev, kept, expires: now + (ttl ?? Infinity) }
}

function reasonOf({ state }: WireResult): { message: string } {
  return {
    message: state === 'too-large' ? 'too large for the server' : 'not allowed to be written by a browser',
  }
}
