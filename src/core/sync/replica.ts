import { toBase64url } from '../base64url.ts'
import type { BinText } from '../definition/bin-text.ts'
import { utf8Length } from '../utf8.ts'
import type { OtherNumber, WireOp } from './wire.ts'

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
  /** What was edited, and of which owner if that is not the present one any more; `null` = the bin was never pulled. */
  readonly from: (Pick<Known, 'rev' | 'kept'> & { readonly owner?: string }) | null
  /** Whether it comes from `update`: nothing may be overwritten with it that it was not computed from. */
  readonly strict: boolean
  /** Whether it may have been sent. Written down before it is. */
  readonly offered: boolean
  /** Id of the page that made it. */
  readonly page?: string
  /** Where else it, or a part of it, waits to be sent. */
  readonly also?: OtherNumber
  /** Number of the last edit in it; left out if that is its own. Another one was made anew on what others have made. */
  readonly edit?: number
}

/** What is remembered of an edit that was sent. */
export type SentOp = Pick<PendingOp, 'n' | 'kept' | 'edit'>

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
  readonly sent: readonly SentOp[]
  /** The last edit that the server refused. */
  readonly rejected?: RejectedEdit
  /** Highest number of an op of this replica that the server has told to have. */
  readonly seen?: number
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
  /** How many of its edits are stored, by page; the page that was here last comes last. */
  readonly made?: Readonly<Record<string, number>>
  /** Whether another visitor has taken its place in this browser: its edits are for nobody else. */
  readonly left?: true
}

/** The replica of one owner. */
export interface Replica {
  /** Rows by name. */
  readonly rows: ReadonlyMap<string, ReplicaRow>
  /** The rest. */
  readonly meta: ReplicaMeta
}

/** Bytes that an op takes in a request besides its bin's name and its text: most take a hundred, as JSON. */
const OP_BYTES = 128

/** Most unanswered edits of a bin that are remembered. */
const MAX_SENT = 128

/** Most pages of which it is remembered how many of their edits are stored. */
const MAX_PAGES = 16

/** An empty row. */
export const EMPTY_ROW: ReplicaRow = { v: 1, sent: [] }

/** What `get` reads from a row: the edit, if there is one, else what the server last said. */
export function visible(row: ReplicaRow | undefined, now: number): BinText | undefined {
  if (row?.op) return row.op.kept
  return row?.known && row.known.expires > now ? row.known.kept : undefined
}

/**
 * Records an edit. One op waits at most: a newer edit takes its place, with a number of its own.
 *
 * @param options.from What it was made on. Default: what is here.
 * @param options.page Id of the page that makes it.
 * @param options.count Which of the page's edits it is, from 1 on.
 */
export function edit(
  replica: Replica,
  bin: string,
  {
    kept,
    at,
    strict,
    store,
    from,
    page,
    count,
  }: {
    kept: BinText | undefined
    at: number
    strict: boolean
    store: string
    from?: PendingOp['from'] | undefined
    page?: string
    count?: number
  },
): Replica {
  const row = replica.rows.get(bin) ?? EMPTY_ROW
  const n = Math.max(replica.meta.last + 1, at)
  const pulled = replica.meta.cursors[store] !== undefined
  const present = row.op ? row.op.from : baseOf(row.known, pulled)
  const op: PendingOp = {
    n,
    ...keptOf(kept),
    at,
    from: from === undefined ? present : from,
    strict,
    offered: false,
    ...(page === undefined ? {} : { page }),
    ...(row.op?.also ? { also: row.op.also } : {}),
  }
  const rows = new Map(replica.rows).set(bin, { ...row, op, sent: sentWith(row, page) })
  const edited = { rows, meta: { ...replica.meta, last: n } }
  return page === undefined || count === undefined ? edited : noteMade(edited, page, count)
}

/** Whether so many edits of a page are stored: by itself, or by another page that knew its last words. */
export function isMade({ meta }: Replica, page: string, count: number): boolean {
  return (meta.made?.[page] ?? 0) >= count
}

/** Notes that so many edits of a page are stored. */
export function noteMade({ rows, meta }: Replica, page: string, count: number): Replica {
  const { [page]: _, ...others } = meta.made ?? {}
  return { rows, meta: { ...meta, made: lastMade({ ...others, [page]: count }) } }
}

/** Pages of older loads cannot have anything to say any more. */
function lastMade(made: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(made).slice(-MAX_PAGES))
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
    bytes += OP_BYTES + utf8Length(bin) + (wire.text?.length ?? 0)
    if (ops.length === maxOps || (ops.length > 0 && bytes > maxBytes)) break
    const row = rows.get(bin) ?? EMPTY_ROW
    if (!op.offered) rows.set(bin, { ...row, op: { ...op, offered: true } })
    ops.push(wire)
  }
  return { replica: { ...replica, rows }, ops }
}

/** Keeps an edit as a rejected draft. */
export function withRejected(
  { rows, meta }: Replica,
  bin: string,
  kept: BinText | undefined,
  message: string,
): Replica {
  const row = rows.get(bin) ?? EMPTY_ROW
  const rejected = { ...keptOf(kept), issues: [{ message }] }
  return { rows: new Map(rows).set(bin, { ...row, rejected }), meta }
}

/**
 * Takes in an edit that was stored, and that a page may have sent while it went away. One that was answered for since is
 * no news: what was edited then is not what later edits were made on.
 */
export function recall(replica: Replica, bin: string, left: PendingOp): Replica {
  const row = replica.rows.get(bin) ?? EMPTY_ROW
  const { op, sent } = row
  const put = (next: ReplicaRow): Replica => ({
    rows: new Map(replica.rows).set(bin, next),
    meta: { ...replica.meta, last: Math.max(replica.meta.last, left.n) },
  })
  // A power failure may have taken back what was stored.
  if (!op) return left.n > replica.meta.last ? put({ ...row, op: { ...left, offered: true } }) : replica
  // What it is made on may have moved since.
  if (op.n === left.n) return put({ ...row, op: { ...op, offered: true } })
  const isAnswered = ownBase(op.from)?.rev !== ownBase(left.from)?.rev
  if (isAnswered || sent.some(({ n }) => n === left.n)) return replica
  const before = [...sent, toSent(left)].sort((a, b) => a.n - b.n)
  return put({ ...row, sent: bounded(before) })
}

/** How many of these bins have an edit that the server has not answered for, and how long the oldest waits, in ms. */
export function pendingOf(
  { rows }: Replica,
  bins: Iterable<string>,
): { count: number; since: number | undefined } {
  const times = [...bins].flatMap((bin) => rows.get(bin)?.op?.at ?? [])
  return { count: times.length, since: times.length === 0 ? undefined : Math.min(...times) }
}

function toWireOp(bin: string, { n, kept, at, from, strict, also }: PendingOp, now: number): WireOp {
  return {
    n,
    bin,
    base: ownBase(from)?.rev ?? null,
    ...(kept ? { text: toBase64url(kept.text) } : { gone: true }),
    ...(strict ? { strict } : {}),
    age: Math.max(0, now - at),
    sv: kept?.version ?? 1,
    ...(also ? { also } : {}),
  }
}

/** What an edit was made on, if that was the present owner's. */
export function ownBase(from: PendingOp['from']): PendingOp['from'] {
  return from?.owner === undefined ? from : null
}

function baseOf(known: Known | undefined, pulled: boolean): PendingOp['from'] {
  if (known) return { rev: known.rev, ...keptOf(known.kept) }
  return pulled ? { rev: 0 } : null
}

/** A property that is left out rather than undefined. */
export function keptOf(kept: BinText | undefined): { kept?: BinText } {
  return kept ? { kept } : {}
}

/**
 * Edits of a bin that the server may have, once another takes the place of the one that waits: that has been sent, or
 * another page may have sent it, which nobody else knows; or it was sent before it was made anew.
 */
export function sentWith({ op, sent }: ReplicaRow, page?: string): ReplicaRow['sent'] {
  if (!op) return sent
  const isOursAlone = !op.offered && !op.also && op.edit === undefined && op.page === page
  return isOursAlone ? sent : bounded([...sent, toSent(op)])
}

function toSent({ n, kept, edit }: PendingOp): SentOp {
  return { n, ...keptOf(kept), ...(edit === undefined ? {} : { edit }) }
}

/** Number of the last edit in an op. */
export function editIn({ n, edit = n }: SentOp): number {
  return edit
}

/**
 * Lets go of unanswered edits beyond a limit. The first ones are those that the server may have taken before all others
 * failed; the last ones may be on their way.
 */
export function bounded(sent: ReplicaRow['sent']): ReplicaRow['sent'] {
  if (sent.length <= MAX_SENT) return sent
  return [...sent.slice(0, MAX_SENT / 2), ...sent.slice(-MAX_SENT / 2)]
}
