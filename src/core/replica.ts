import { utf8Length } from './cookie.ts'
import type { BinText } from './data.ts'
import type { AnswerPart, WireChange, WireOp, WireResult } from './wire.ts'

/** What the server last said about a bin. */
export interface Known {
  /** When the data last changed; 0 = there never was any. */
  readonly rev: number
  /** The text; left out when the bin is gone. */
  readonly kept?: BinText
  /** When it expires, in ms since the Unix epoch by this device's clock. */
  readonly expires: number
}

/** An edit that the server has not answered for. */
export interface PendingOp {
  /** Number of the op: above all that this client has ever used. */
  readonly n: number
  /** The text; left out of a deletion. */
  readonly kept?: BinText
  /** When the edit was made, in ms since the Unix epoch by this device's clock. */
  readonly at: number
  /** What was edited; `null` = the bin was never pulled. */
  readonly from: Pick<Known, 'rev' | 'kept'> | null
  /** Whether it comes from `update`: nothing may be overwritten with it that it was not computed from. */
  readonly strict: boolean
  /** Whether it may have been sent. Written down before it is. */
  readonly offered: boolean
}

/** An edit that the server refused. */
export interface RejectedEdit {
  /** The text; left out of a deletion. */
  readonly kept?: BinText
  /** Why. */
  readonly issues: ReadonlyArray<{ readonly message: string }>
}

/** A server bin in a browser's replica. */
export interface ReplicaRow {
  /** Version of this shape; a row of another one belongs to another version of the code, and is left alone. */
  readonly v: 1
  /** What the server last said; left out when it was never asked. */
  readonly known?: Known
  /** The edit to be sent. */
  readonly op?: PendingOp
  /** Older edits that were sent and not answered for: the server may have built on them. */
  readonly sent: ReadonlyArray<Pick<PendingOp, 'n' | 'kept'>>
  /** The last edit that the server refused. */
  readonly rejected?: RejectedEdit
}

/** What a replica knows besides its rows. */
export interface ReplicaMeta {
  /** Version of this shape. */
  readonly v: 1
  /** Id of this browser profile's replica. */
  readonly client: string
  /** Highest op number used. */
  readonly last: number
  /** Cursor by store; a store that was never pulled has none. */
  readonly cursors: Readonly<Record<string, string>>
  /** The browser session that the rows of `'session'` bins belong to. */
  readonly session?: string
}

/** The replica of one owner. */
export interface Replica {
  /** Rows by name. */
  readonly rows: ReadonlyMap<string, ReplicaRow>
  /** The rest. */
  readonly meta: ReplicaMeta
}

/** What happened to an edit in an exchange. */
export type Outcome = 'accepted' | 'merged' | 'superseded' | 'rejected' | 'waiting'

/** Rules that an answer is absorbed by. */
export interface AbsorbRules {
  /** The present, in ms since the Unix epoch. */
  readonly now: number
  /** Store of a bin. */
  readonly storeOf: (bin: string) => string | undefined
  /** Cursor of the store when the request was sent. */
  readonly sentCursor: string | undefined
  /** Merges by the definition's rule, or `undefined` if it has none. */
  readonly merge: (
    bin: string,
    base: BinText | undefined,
    mine: BinText | undefined,
    theirs: BinText | undefined,
  ) => BinText | null | undefined
  /** Computes a strict op anew on what is kept now; `undefined` if nobody is left to do so. */
  readonly recompute: (bin: string, n: number, theirs: BinText | undefined) => BinText | null | undefined
}

/** Most unanswered edits of a bin that are remembered. */
const MAX_SENT = 32

/** An empty row. */
export const EMPTY_ROW: ReplicaRow = { v: 1, sent: [] }

/** What `get` reads from a row: the edit, if there is one, else what the server last said. */
export function visible(row: ReplicaRow | undefined, now: number): BinText | undefined {
  if (row?.op) return row.op.kept
  return row?.known && row.known.expires > now ? row.known.kept : undefined
}

/** Records an edit. One op waits at most: a newer edit takes its place, with a number of its own. */
export function edit(
  replica: Replica,
  bin: string,
  { kept, at, strict, store }: { kept: BinText | undefined; at: number; strict: boolean; store: string },
): Replica {
  const row = replica.rows.get(bin) ?? EMPTY_ROW
  const n = Math.max(replica.meta.last + 1, at)
  const pulled = replica.meta.cursors[store] !== undefined
  const from = row.op ? row.op.from : baseOf(row.known, pulled)
  const op: PendingOp = { n, ...keptOf(kept), at, from, strict: strict || (row.op?.strict ?? false), offered: false }
  const rows = new Map(replica.rows).set(bin, { ...row, op, sent: sentWith(row) })
  return { rows, meta: { ...replica.meta, last: n } }
}

/** Ops to send, oldest first, at least one however large; and the replica that must be kept before they are. */
export function offer(
  replica: Replica,
  bins: Iterable<string>,
  { now, maxOps, maxBytes }: { now: number; maxOps: number; maxBytes: number },
): { replica: Replica; ops: WireOp[] } {
  const rows = new Map(replica.rows)
  const pending: Array<[string, PendingOp]> = []
  for (const bin of bins) {
    const op = rows.get(bin)?.op
    if (op) pending.push([bin, op])
  }
  pending.sort(([, a], [, b]) => a.n - b.n)
  const ops: WireOp[] = []
  let bytes = 0
  for (const [bin, op] of pending) {
    const wire = toWireOp(bin, op, now)
    bytes += utf8Length(JSON.stringify(wire))
    if (ops.length === maxOps || (ops.length > 0 && bytes > maxBytes)) break
    const row = rows.get(bin) ?? EMPTY_ROW
    if (!op.offered) rows.set(bin, { ...row, op: { ...op, offered: true } })
    ops.push(wire)
  }
  return { replica: { ...replica, rows }, ops }
}

/**
 * Takes in a part of an answer: results and changes together, the cursor last. May be given an answer twice, late, or
 * after a newer one.
 */
export function absorb(
  before: Replica,
  part: AnswerPart,
  rules: AbsorbRules,
): { replica: Replica; outcomes: Array<{ bin: string; outcome: Outcome }> } {
  const stored = before.meta.cursors[part.store]
  // The store's record began another life while this answer was on its way.
  if (epochOf(stored) !== epochOf(rules.sentCursor)) return { replica: before, outcomes: [] }
  const outcomes: Array<{ bin: string; outcome: Outcome }> = []
  let replica = before
  for (const result of part.results) {
    const settled = settle(replica, result, rules)
    replica = settled.replica
    if (settled.outcome) outcomes.push({ bin: result.bin, outcome: settled.outcome })
  }
  // An older answer is late only if a newer one came in between; else the server has gone back in time.
  const isLate = stored !== rules.sentCursor && seqOf(part.cursor) < seqOf(stored)
  if (isLate) return { replica, outcomes }
  const rows = new Map(replica.rows)
  for (const change of part.changes) {
    rows.set(change.bin, receive(rows.get(change.bin), change, { now: rules.now, isReset: part.reset === true }))
  }
  if (part.reset) dropUnnamed(rows, part, rules)
  const cursors = { ...replica.meta.cursors, [part.store]: part.cursor }
  return { replica: { rows, meta: { ...replica.meta, cursors } }, outcomes }
}

/** Moves the unsent edits of one owner's replica on top of another's: nothing of the latter was pulled for them. */
export function adopt(into: Replica, from: Replica): Replica {
  let replica = into
  const ops = [...from.rows].filter(([, row]) => row.op).sort(([, a], [, b]) => (a.op?.n ?? 0) - (b.op?.n ?? 0))
  for (const [bin, { op }] of ops) {
    if (!op) continue
    const row = replica.rows.get(bin) ?? EMPTY_ROW
    if (row.op && row.op.at > op.at) continue
    const n = Math.max(replica.meta.last + 1, op.n)
    const moved: PendingOp = { ...op, n, from: null, offered: false }
    replica = {
      rows: new Map(replica.rows).set(bin, { ...row, op: moved, sent: sentWith(row) }),
      meta: { ...replica.meta, last: n },
    }
  }
  return replica
}

/** Bins with an edit that the server has not answered for, and how long the oldest has been waiting, in ms. */
export function pendingOf(replica: Replica, now: number): { count: number; oldestMs: number } {
  const times = [...replica.rows.values()].flatMap(({ op }) => (op ? [op.at] : []))
  return { count: times.length, oldestMs: times.length === 0 ? 0 : Math.max(0, now - Math.min(...times)) }
}

function settle(
  replica: Replica,
  result: WireResult,
  rules: AbsorbRules,
): { replica: Replica; outcome?: Outcome } {
  const row = replica.rows.get(result.bin)
  if (!row) return { replica }
  const { op } = row
  const own = [...row.sent, ...(op ? [op] : [])]
  const theirs = toKnown(result, rules.now) ?? row.known ?? { rev: 0, expires: Infinity }
  const sent = row.sent.filter(({ n }) => n > result.seen)
  // An older answer than the one that is known already has nothing to say about the row.
  const known = row.known && row.known.rev > theirs.rev ? row.known : theirs
  const put = (next: ReplicaRow): Replica => ({ ...replica, rows: new Map(replica.rows).set(result.bin, next) })
  const { op: _, ...rest } = row
  const settled = { ...rest, known, sent }

  if (op && op.n <= result.seen) return { replica: put(settled), outcome: 'accepted' }
  if (!op) return { replica: put(settled) }
  const waiting = { ...settled, op }
  switch (result.state) {
    case 'ok':
    case 'dup': {
      // The server has an older edit of ours; the newer one was made on top of it.
      const seen = own.find(({ n }) => n === result.seen)
      const isOurs = seen !== undefined && seen.kept?.text === theirs.kept?.text
      const from = isOurs ? { rev: theirs.rev, ...keptOf(theirs.kept) } : op.from
      return { replica: put({ ...waiting, op: { ...op, from } }) }
    }
    case 'outdated':
      return { replica: put(waiting), outcome: 'waiting' }
    case 'conflict':
      return resolve({ ...replica, rows: new Map(replica.rows).set(result.bin, waiting) }, result, theirs, own, rules)
    case 'superseded':
      if (op.n !== result.n) return { replica: put(waiting) }
      return { replica: put(settled), outcome: 'superseded' }
    default:
      if (op.n !== result.n) return { replica: put(waiting) }
      return {
        replica: put({ ...settled, rejected: { ...keptOf(op.kept), issues: result.issues ?? [reasonOf(result)] } }),
        outcome: 'rejected',
      }
  }
}

/** Decides a conflict between the waiting edit and what is kept now. */
function resolve(
  replica: Replica,
  { bin, seen }: WireResult,
  theirs: Known,
  own: ReadonlyArray<Pick<PendingOp, 'n' | 'kept'>>,
  rules: AbsorbRules,
): { replica: Replica; outcome?: Outcome } {
  const row = replica.rows.get(bin)
  const op = row?.op
  if (!row || !op) return { replica }
  const from = { rev: theirs.rev, ...keptOf(theirs.kept) }
  const put = (next: ReplicaRow, last = replica.meta.last): Replica => ({
    rows: new Map(replica.rows).set(bin, next),
    meta: { ...replica.meta, last },
  })
  // What both sides have in common: the last edit of ours that the server has built on, else what was edited.
  const base = own.find(({ n }) => n === seen)?.kept ?? op.from?.kept
  if (op.from && base?.text === theirs.kept?.text) return { replica: put({ ...row, op: { ...op, from } }) }

  const recomputed = op.strict ? rules.recompute(bin, op.n, theirs.kept) : undefined
  const merged = recomputed === undefined ? rules.merge(bin, base, op.kept, theirs.kept) : recomputed
  const { op: _, ...rest } = row
  if (merged === undefined) {
    const issues = [{ message: 'the bin holds data that this edit was not made on' }]
    return { replica: put({ ...rest, rejected: { ...keptOf(op.kept), issues } }), outcome: 'rejected' }
  }
  if (merged?.text === theirs.kept?.text) return { replica: put(rest), outcome: 'merged' }
  const n = Math.max(replica.meta.last + 1, op.n + 1)
  const { kept: __, ...made } = op
  const next: PendingOp = { ...made, n, ...keptOf(merged ?? undefined), from, offered: false }
  return { replica: put({ ...row, op: next }, n), outcome: 'merged' }
}

/** Takes in a change. An edit that waits keeps what it was made on: the server decides when it comes. */
function receive(
  row: ReplicaRow = EMPTY_ROW,
  change: WireChange,
  { now, isReset }: { now: number; isReset: boolean },
): ReplicaRow {
  const known = toKnown(change, now)
  if (!known || (row.known && row.known.rev > known.rev && !isReset)) return row
  return { ...row, known }
}

/** After a snapshot, what it does not name is not there. */
function dropUnnamed(rows: Map<string, ReplicaRow>, part: AnswerPart, { storeOf }: AbsorbRules): void {
  const named = new Set([...part.changes, ...part.results].filter(({ rev }) => rev !== undefined).map(({ bin }) => bin))
  for (const [bin, row] of rows) {
    if (named.has(bin) || storeOf(bin) !== part.store) continue
    const { known: _, ...rest } = row
    if (row.op || row.rejected) rows.set(bin, rest)
    else rows.delete(bin)
  }
}

function toKnown(row: Partial<WireChange>, now: number): Known | undefined {
  const { rev, sv, data, gone, ttl } = row
  if (rev === undefined || sv === undefined) return undefined
  if (gone || data === undefined) return { rev, expires: Infinity }
  return { rev, kept: { text: JSON.stringify(data), version: sv }, expires: now + (ttl ?? Infinity) }
}

function toWireOp(bin: string, { n, kept, at, from, strict }: PendingOp, now: number): WireOp {
  return {
    n,
    bin,
    base: from?.rev ?? null,
    ...(kept ? { data: JSON.parse(kept.text) } : { gone: true }),
    ...(strict ? { strict } : {}),
    age: Math.max(0, now - at),
    sv: kept?.version ?? 1,
  }
}

function baseOf(known: Known | undefined, pulled: boolean): PendingOp['from'] {
  if (known) return { rev: known.rev, ...keptOf(known.kept) }
  return pulled ? { rev: 0 } : null
}

function sentWith({ op, sent }: ReplicaRow): ReplicaRow['sent'] {
  return op?.offered ? [...sent, { n: op.n, ...keptOf(op.kept) }].slice(-MAX_SENT) : sent
}

function keptOf(kept: BinText | undefined): { kept?: BinText } {
  return kept ? { kept } : {}
}

function reasonOf({ state }: WireResult): { message: string } {
  return { message: state === 'too-large' ? 'too large for the server' : 'not allowed to be written by a browser' }
}

function epochOf(cursor: string | undefined): string | undefined {
  return cursor?.split('.')[0]
}

function seqOf(cursor: string | undefined): number {
  return Number(cursor?.split('.')[1] ?? 0)
}
