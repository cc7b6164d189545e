import { toBase64url } from '../base64url.ts'
import type { BinsRecord, Row } from './record.ts'

/** Version of the sync protocol. */
export const PROTOCOL = 1

/** Where else an edit waits to be sent: of all that waits under these numbers, the server applies it once. */
export interface OtherNumber {
  /** Id of the other replica. */
  client: string
  /** Number of the op there: all of that is in this one. */
  n: number
}

/** An op on its way to the server. */
export interface WireOp {
  /** Number of the op. */
  n: number
  /** Name of the bin. */
  bin: string
  /** `rev` that was edited; 0 = believed absent, `null` = never pulled. */
  base: number | null
  /**
   * The bin's text in base64url, so that nothing on the way parses, escapes or takes offence at it; left out of a deletion.
   */
  text?: string
  /** A deletion. */
  gone?: true
  /** Whether nothing may be overwritten with it that it was not computed from. */
  strict?: true
  /** How long ago the edit was made, in ms: no absolute time of a client is ever sent. */
  age: number
  /** Version of the data's shape. */
  sv: number
  /** Where else the edit waits. */
  also?: OtherNumber
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

/** What one record of the sender is asked. */
export interface RequestPart {
  /** Whose record: the visitor's, or that of the user who is logged in. */
  owner: 'visitor' | 'user'
  /** Name of the store. */
  store: string
  /** Tag of the owner that the client believes to be; `null` = none yet. */
  tag: string | null
  /** What the client knows already; `null` = nothing. */
  cursor: string | null
  /** Edits. */
  ops: WireOp[]
}

/** `POST {path}/sync`. */
export interface SyncRequest {
  /** {@link PROTOCOL}. */
  v: number
  /** Id of the browser profile's replica. */
  client: string
  /** At most one part for each owner and store. */
  parts: RequestPart[]
}

/** A row on its way to the client. */
export interface WireRow {
  /** When the data last changed. */
  rev: number
  /** Version of the data's shape. */
  sv: number
  /** The bin's text in base64url; left out when the bin is gone. */
  text?: string
  /** The bin is deleted or expired. */
  gone?: true
  /** In how many ms the data expires. */
  ttl?: number
}

/** What became of an op; with the row that is kept now, unless there never was one. */
export interface WireResult extends Partial<WireRow> {
  /** Number of the op. */
  n: number
  /** Name of the bin. */
  bin: string
  /** What became of it. */
  state: OpState
  /** Highest op number of this client that what is kept now is built on. */
  seen: number
  /** Why the schema refused it; messages and paths only. */
  issues?: Array<{ message: string; path?: Array<string | number> }>
}

/** A bin that changed since the client's cursor. */
export interface WireChange extends WireRow {
  /** Name of the bin. */
  bin: string
}

/** Answer to a {@link RequestPart}, from one version of the record. */
export interface AnswerPart {
  /** Name of the store. */
  store: string
  /** Tag of the owner. */
  tag: string
  /** What the client knows after this answer. */
  cursor: string
  /** One for each op. */
  results: WireResult[]
  /** Bins that changed, without those that the ops changed. */
  changes: WireChange[]
  /** `changes` is all there is. */
  reset?: true
  /** How many ms ago the record was cleared: older edits and all rows are to be dropped. */
  erased?: number
}

/** Answer to a {@link SyncRequest}. */
export interface SyncAnswer {
  /** {@link PROTOCOL}. */
  v: number
  /** One for each part that was asked; none with `minted`. */
  parts: AnswerPart[]
  /** A visitor was made, and nothing applied: send again, with the cookie. */
  minted?: true
}

/** Body of a 409 answer: a part's tag is not the request's owner; nothing was applied. */
export interface WrongOwner {
  /** What went wrong. */
  error: 'wrong-owner'
  /** The tag of the request's visitor; `null` = it has none. */
  tag: string | null
  /** The tag of the user who is logged in; `null` = nobody is. */
  user: string | null
}

/** Body of a 401 answer: the application does not say who is logged in. Nothing was applied. */
export interface UnknownUser {
  /** What went wrong. */
  error: 'unknown-user'
}

/** `POST {path}/link`: the device is to become the visitor that a link is of. */
export interface LinkRequest {
  /** {@link PROTOCOL}. */
  v: number
  /** What the link holds: the id of the visitor, and a secret that is good for once. */
  token: string
  /** Whether the bins of the visitor that the device was before go along. */
  merge?: true
}

/**
 * Why a device has not become the visitor, and the link is as good as before: it has been used, has expired or never was;
 * the device is a visitor with bins already; another user is logged in on it, or nobody; the visitor has as many devices
 * as it can; the bins do not fit into one record, or the rule of one of them fails.
 */
export type LinkRefusal = 'gone' | 'has-data' | 'other-user' | 'too-many-devices' | 'cannot-merge'

/** A cursor for each store that holds bins which the browser may see; those of the user's are named `user/<store>`. */
export type Cursors = Readonly<Record<string, string>>

/**
 * Data of the events `hello` and `poke` of `GET {path}/events`, and the answer of a long poll. A poke names only the
 * stores whose record has changed.
 */
export interface LiveCursors {
  /** {@link PROTOCOL}. */
  v: number
  /** Where the visitor's records are. */
  cursors: Cursors
}

/** Data of the event `bye`, the last of a stream. */
export interface LiveBye {
  /** {@link PROTOCOL}. */
  v: number
  /** After how many ms to open the next stream; each one is told another time. */
  retryMs: number
}

/** Formats what a client knows after it has seen this version of a record; or, of none, that there is none. */
export function toCursor(record: BinsRecord | undefined): string {
  return record ? `${record.epoch}.${record.seq}.${record.marks.at(-1)?.[1] ?? ''}` : '0.0.0'
}

/**
 * Seq up to which a cursor knows a record; `undefined` when it speaks of another life of the record, of changes that
 * this server has never made (it was restored from a backup), or of more than it remembers: a snapshot is due.
 */
export function fromCursor(cursor: string | null, { epoch, marks, floor }: BinsRecord): number | undefined {
  const [theirEpoch, seq, theirMark] = cursor?.split('.') ?? []
  if (theirEpoch !== epoch) return undefined
  const known = marks.find(([ours, mark]) => String(ours) === seq && mark === theirMark)
  return known && known[0] >= floor ? known[0] : undefined
}

/** Whether a cursor is of the same life of the record as another, and of a later moment; or the other knows nothing. */
export function isLater(cursor: string, other: string | undefined): boolean {
  if (other === undefined) return true
  const [epoch, seq] = cursor.split('.')
  const [otherEpoch, otherSeq] = other.split('.')
  return epoch === otherEpoch && Number(seq) > Number(otherSeq)
}

/** Converts a row to what a client learns of it. */
export function toWireRow({ rev, version, text, expires }: Row, live: boolean, now: number): WireRow {
  if (!live || text === undefined) return { rev, sv: version, gone: true }
  return { rev, sv: version, text: toBase64url(text), ttl: expires - now }
}
