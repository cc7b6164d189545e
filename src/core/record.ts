import type { Definition } from './definition.ts'
import {
  MAX_BIN_BYTES,
  MAX_BINS,
  MAX_CLIENTS,
  MAX_MARKS,
  MAX_RECORD_BYTES,
  MAX_TOMBSTONES,
  SESSION_IDLE,
  TOMBSTONE_AGE,
} from './limits.ts'
import { isMerged } from './merge.ts'
import { utf8Length } from './utf8.ts'

/** A bin in a record. All times in ms since the Unix epoch. */
export interface Row {
  /** The record's `seq` when the data last changed; never repeats. */
  readonly rev: number
  /** The record's `seq` when anything, such as the lifetime, last changed. */
  readonly touched: number
  /** The encoded data; left out of a tombstone. */
  readonly text?: string
  /** Version of the data's shape. */
  readonly version: number
  /** When the edit was made, by the server's clock. */
  readonly at: number
  /** When the data expires; of a tombstone, when it has expired or was deleted. */
  readonly expires: number
  /** The browser session that the data belongs to. */
  readonly session?: string
}

/** All server bins of one owner in one store, under one version. */
export interface BinsRecord {
  /** Random; another one means another life of the record. */
  readonly epoch: string
  /** Number of the last change: at least the time in ms, always rising. */
  readonly seq: number
  /** The last changes' numbers, each with 32 random bits: a server that went back in time knows other ones. */
  readonly marks: ReadonlyArray<readonly [seq: number, mark: string]>
  /** Highest `rev` of which no tombstone is left. */
  readonly floor: number
  /** When the record was made. */
  readonly created: number
  /** SHA-256 of the secrets that open it; empty outside the default store. */
  readonly secrets: readonly string[]
  /** When the visitor cookie that was sent last ends. */
  readonly cookieUntil: number
  /** When it was sent first: that response may have got lost. Left out if there was none. */
  readonly cookieAt?: number
  /** When the record was cleared; it then takes no edit for ever. */
  readonly erased?: number
  /** Rows by name. */
  readonly bins: ReadonlyMap<string, Row>
  /** The highest op number applied, by client and bin; the client heard last comes last. */
  readonly applied: ReadonlyMap<string, ReadonlyMap<string, number>>
}

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
}

/** What became of an op. */
export type OpState =
  | 'ok'
  | 'dup'
  | 'conflict'
  | 'superseded'
  | 'invalid'
  | 'too-large'
  | 'outdated'
  | 'denied'

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
  /** The browser session, if one is known. */
  readonly session?: string | undefined
}

/** Makes a record without bins. */
export function createRecord(options: {
  epoch: string
  mark: string
  now: number
  secrets?: readonly string[]
}): BinsRecord {
  const { epoch, mark, now, secrets = [] } = options
  return {
    epoch,
    seq: now,
    marks: [[now, mark]],
    // Whoever claims an older rev of this record speaks of another life.
    floor: now,
    created: now,
    secrets,
    cookieUntil: 0,
    bins: new Map(),
    applied: new Map(),
  }
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

/** A row's data is there: neither deleted, nor expired, nor of another browser session. */
export function isLive(
  row: Row | undefined,
  now: number,
  session: string | undefined,
): row is Row & { text: string } {
  if (row?.text === undefined || row.expires <= now) return false
  return row.session === undefined || row.session === session
}

/** Makes a record the gravestone that it stays: late edits find it and cannot bring data back. */
export function erase(record: BinsRecord, now: number, freshMark: string): BinsRecord {
  const seq = nextSeq(record, now)
  return mark({ ...record, seq, floor: seq, erased: now, bins: new Map(), applied: new Map() }, freshMark)
}

/** The latest time at which a record holds data, of whichever browser session; 0 if it holds none. */
export function liveUntil(record: BinsRecord, now: number): number {
  let until = 0
  for (const { text, expires } of record.bins.values()) {
    if (text !== undefined && expires > now) until = Math.max(until, expires)
  }
  return until
}

function applyOne(
  record: BinsRecord,
  op: Op,
  options: ApplyOptions,
): { record: BinsRecord; result: OpResult } {
  const { client, now } = options
  const definition = options.find(op.bin)
  const row = record.bins.get(op.bin)
  const seen = client === undefined ? 0 : (record.applied.get(client)?.get(op.bin) ?? 0)
  const answer = (state: OpState) => ({ record, result: resultOf(op, state, seen, row) })

  if (client !== undefined && op.n <= seen) return answer('dup')
  if (client !== undefined && definition.browser !== 'write') return answer('denied')
  if (op.version > definition.version || (row?.version ?? 0) > definition.version) return answer('outdated')
  if (!startsFrom(op, row, options)) {
    const verdict = decide(record, op, row, definition, options)
    if (verdict !== 'ok') return answer(verdict)
  }
  if (op.text !== undefined && !fits(record, op.bin, op.text, now)) return answer('too-large')

  const seq = nextSeq(record, now)
  const bins = new Map(record.bins).set(op.bin, toRow(op, row, definition, seq, options))
  const applied = client === undefined ? record.applied : countOp(record.applied, client, op)
  const after = { ...record, seq, bins, applied }
  return { record: after, result: resultOf(op, 'ok', client === undefined ? 0 : op.n, bins.get(op.bin)) }
}

/**
 * Whether an op was made on what is there, so that nothing can be lost by it. A tombstone is something: an op that was
 * answered `conflict` must not be applied when it arrives once more, after the deletion. What has expired is nothing.
 */
function startsFrom(op: Op, row: Row | undefined, { now, session }: ApplyOptions): boolean {
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
  { maxAge, renew, version }: Definition,
  seq: number,
  { now, session }: ApplyOptions,
): Row {
  const lifetime = (maxAge === 'session' ? SESSION_IDLE : maxAge) * 1_000
  const until = renew === 'never' && isLive(row, now, session) ? row.expires : now + lifetime
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

function countOp(applied: BinsRecord['applied'], client: string, op: Op): BinsRecord['applied'] {
  const counts = setLast(applied.get(client), op.bin, op.n, MAX_BINS + MAX_TOMBSTONES)
  return setLast(applied, client, counts, MAX_CLIENTS)
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

function mark(record: BinsRecord, fresh: string): BinsRecord {
  return { ...record, marks: [...record.marks, [record.seq, fresh] as const].slice(-MAX_MARKS) }
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

function nextSeq(record: BinsRecord, now: number): number {
  return Math.max(record.seq + 1, now)
}

function editedAt(op: Op, now: number): number {
  return now - Math.max(0, op.age)
}

function resultOf(op: Op, state: OpState, seen: number, row: Row | undefined): OpResult {
  return { n: op.n, bin: op.bin, state, seen, ...(row ? { row } : {}) }
}
