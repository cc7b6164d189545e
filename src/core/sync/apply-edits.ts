import type { Definition } from '../definition/definition.ts'
import {
  MAX_BIN_BYTES,
  MAX_BINS,
  MAX_CLIENTS,
  MAX_RECORD_BYTES,
  MAX_TOMBSTONES,
  TOMBSTONE_AGE,
} from '../limits.ts'
import { utf8Length } from '../utf8.ts'
import { isMerged } from './merge.ts'
import { type BinsRecord, isLive, mark, nextSeq, type Row } from './record.ts'
import { lifetimeOf } from './renewal.ts'
import type { OpState, OtherNumber } from './wire.ts'

/** One edit of a bin. */
export interface Op {
  /** Number of the op: rises with every edit of the client. */
  readonly n: number
  /** Name of the bin. */
  readonly bin: string
  /** `rev` that was edited; 0 = believed absent, `null` = never pulled. */
  readonly base: number | null
  /** The encoded data; left out of a deletion. */
  readonly text?: string
  /** Whether nothing may be overwritten with it that it was not computed from. */
  readonly strict?: boolean
  /** How long ago the edit was made, in ms. */
  readonly age: number
  /** Version of the data's shape. */
  readonly version: number
  /** Where else the edit waits to be sent. */
  readonly also?: OtherNumber
}

/** Answer to an op. */
export interface OpResult {
  /** Number of the op. */
  readonly n: number
  /** Name of the bin. */
  readonly bin: string
  /** What became of it. */
  readonly state: OpState
  /** Highest op number of this client that what is kept now is built on. */
  readonly seen: number
  /** What is kept now; for `ok`, what the op made of it. Left out if there never was such a row. */
  readonly row?: Row
}

/** Circumstances of {@link apply}. */
export interface ApplyOptions {
  /** Definition of a bin. */
  readonly find: (name: string) => Definition
  /** The present, in ms since the Unix epoch. */
  readonly now: number
  /** 32 fresh random bits. */
  readonly mark: string
  /** Who sends the ops: a browser profile's id. Left out: the server itself. */
  readonly client?: string | undefined
  /** Whether the ops may change what a browser may not, whoever sends them. Default: the server's own may. */
  readonly isTrusted?: boolean
  /** The browser session, if one is known. */
  readonly session?: string | undefined
  /** Whether the client may not have heard of deletions that are forgotten. Default: it has. */
  readonly isBehind?: boolean
}

/**
 * Applies ops to a record: decides about duplicates, conflicts, expiry, tombstones and limits. The data in the ops is
 * valid already. Pure; the record passed in stays as it is.
 */
export function apply(
  before: BinsRecord,
  ops: readonly Op[],
  options: ApplyOptions,
): { record: BinsRecord; results: OpResult[] } {
  let record = before
  const results: OpResult[] = []
  for (const op of ops) {
    const step = applyOne(record, op, options)
    record = step.record
    results.push(step.result)
  }
  if (record.seq !== before.seq) record = prune(mark(record, options.mark), options.now)
  return { record, results }
}

function applyOne(
  record: BinsRecord,
  op: Op,
  options: ApplyOptions,
): { record: BinsRecord; result: OpResult } {
  const { client, now, isTrusted = client === undefined } = options
  const definition = options.find(op.bin)
  const row = record.bins.get(op.bin)
  const seen = client === undefined ? 0 : seenOf(record, op, client)
  const answer = (state: OpState) => ({ record, result: resultOf(op, state, seen, row) })

  if (client !== undefined && op.n <= seen) return answer('dup')
  if (!isTrusted && definition.browser !== 'write') return answer('denied')
  if (editedAt(op, now) < (record.forgotten ?? 0)) return answer('superseded')
  if (op.version > definition.version || (row?.version ?? 0) > definition.version) return answer('outdated')
  if (!startsFrom(op, row, seen, options)) {
    const verdict = decide(record, op, row, definition, options)
    if (verdict !== 'ok') return answer(verdict)
  }
  if (op.text !== undefined && !fits(record, op.bin, op.text, now)) return answer('too-large')

  const seq = nextSeq(record, now)
  const bins = new Map(record.bins).set(op.bin, toRow(op, row, definition, seq, options))
  const applied = client === undefined ? record.applied : countOp(record, client, op)
  const after = { ...record, seq, bins, applied }
  return { record: after, result: resultOf(op, 'ok', client === undefined ? 0 : op.n, bins.get(op.bin)) }
}

/** Highest op number of a client that a bin is built on, of what it knows to have. */
function seenOf({ applied }: BinsRecord, { bin, also }: Op, client: string): number {
  const numberOf = (id: string) => applied.get(id)?.get(bin) ?? 0
  return Math.max(numberOf(client), also ? Math.min(numberOf(also.client), also.n) : 0)
}

/**
 * Whether an op was made on what is there, so that nothing can be lost by it. A tombstone is something: an op that was
 * answered `conflict` must not be applied when it arrives once more, after the deletion. What has expired is nothing.
 */
function startsFrom(
  op: Op,
  row: Row | undefined,
  seen: number,
  { now, session, isBehind = false }: ApplyOptions,
): boolean {
  // An edit of the same client has been there, and may be part of this one.
  if (!row && seen > 0 && isBehind) return false
  if (!row) return op.base === null || op.base === 0
  if (op.base === row.rev) return true
  return op.base === null && row.text !== undefined && !isLive(row, now, session)
}

function decide(
  record: BinsRecord,
  op: Op,
  row: Row | undefined,
  { merge }: Definition,
  { client, now }: ApplyOptions,
): 'ok' | 'conflict' | 'superseded' {
  if (op.strict || isMerged({ merge })) return 'conflict'
  if (merge === 'server') return client === undefined ? 'ok' : 'superseded'
  if (op.base === null) return 'conflict'
  // Revs are times in ms, so an unknown deletion happened at the floor or before.
  return editedAt(op, now) >= (row?.at ?? record.floor) ? 'ok' : 'superseded'
}

function toRow(
  op: Op,
  row: Row | undefined,
  definition: Definition,
  seq: number,
  { now, session }: ApplyOptions,
): Row {
  const { maxAge, renew, version } = definition
  const until = renew === 'never' && isLive(row, now, session) ? row.expires : now + lifetimeOf(definition)
  return {
    rev: seq,
    touched: seq,
    ...(op.text === undefined ? {} : { text: op.text }),
    version,
    at: editedAt(op, now),
    expires: op.text === undefined ? now : until,
    ...(maxAge === 'session' && session !== undefined ? { session } : {}),
  }
}

function fits(record: BinsRecord, name: string, text: string, now: number): boolean {
  const own = utf8Length(text)
  let bytes = own
  let bins = 1
  for (const [other, row] of record.bins) {
    if (other === name || row.text === undefined || row.expires <= now) continue
    bytes += utf8Length(row.text)
    bins += 1
  }
  return own <= MAX_BIN_BYTES && bytes <= MAX_RECORD_BYTES && bins <= MAX_BINS
}

function countOp({ applied }: BinsRecord, client: string, { bin, n, also }: Op): BinsRecord['applied'] {
  return [...(also ? [also] : []), { client, n }].reduce((before, one) => {
    const counts = before.get(one.client)
    const highest = Math.max(one.n, counts?.get(bin) ?? 0)
    return setLast(before, one.client, setLast(counts, bin, highest, MAX_BINS + MAX_TOMBSTONES), MAX_CLIENTS)
  }, applied)
}

/** Sets an entry, which comes last then, and drops the first ones beyond a limit: those not set for longest. */
function setLast<Value>(
  map: ReadonlyMap<string, Value> | undefined,
  key: string,
  value: Value,
  limit: number,
): Map<string, Value> {
  const next = new Map(map)
  next.delete(key)
  next.set(key, value)
  for (const first of next.keys()) {
    if (next.size <= limit) break
    next.delete(first)
  }
  return next
}

function editedAt(op: Op, now: number): number {
  return now - Math.max(0, op.age)
}

function resultOf(op: Op, state: OpState, seen: number, row: Row | undefined): OpResult {
  return { n: op.n, bin: op.bin, state, seen, ...(row ? { row } : {}) }
}

/** Turns expired rows into tombstones, and lets go of old tombstones. */
function prune(record: BinsRecord, now: number): BinsRecord {
  const bins = new Map<string, Row>()
  for (const [name, row] of record.bins) {
    bins.set(name, row.text !== undefined && row.expires <= now ? toTombstone(row) : row)
  }
  const tombstones = [...bins]
    .filter(([, row]) => row.text === undefined)
    .sort(([, a], [, b]) => a.rev - b.rev)
  let floor = record.floor
  for (const [index, [name, row]] of tombstones.entries()) {
    // Revs are times in ms: an edit that was made long ago can delete only now.
    const since = Math.max(row.at, row.rev, Math.min(row.expires, now))
    if (tombstones.length - index <= MAX_TOMBSTONES && since > now - TOMBSTONE_AGE) continue
    bins.delete(name)
    floor = Math.max(floor, row.rev)
  }
  return { ...record, bins, floor }
}

/** That data has expired is no edit: what was made before, and comes later, wins over what was there. */
function toTombstone({ text: _, ...row }: Row): Row {
  return row
}
