import { MAX_MARKS } from '../limits.ts'

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
  /** SHA-256 of the secrets that open it, one for each device of the visitor; empty outside the default store. */
  readonly secrets: readonly string[]
  /** When the visitor cookie that lives longest ends. */
  readonly cookieUntil: number
  /** When those of other devices end, by their secret's SHA-256, if that is earlier. */
  readonly cookieEnds?: Readonly<Record<string, number>>
  /** When it was sent first: that response may have got lost. Left out if there was none. */
  readonly cookieAt?: number
  /** When the record was cleared; it then takes no edit for ever. */
  readonly erased?: number
  /** When all that was in a user's record was forgotten: edits from before do not count. */
  readonly forgotten?: number
  /** Secrets that were replaced, the last one last. */
  readonly former?: readonly FormerSecret[]
  /** Links that make another device this visitor, the last one last. */
  readonly links?: readonly Link[]
  /** Key of the user whose visitor this is. */
  readonly user?: string
  /** Key of the user whose bins this visitor does not get until somebody else is logged in, or nobody. */
  readonly revoked?: string
  /** The visitors of a user, the last one to log in last. */
  readonly visitors?: readonly UserVisitor[]
  /** Rows by name. */
  readonly bins: ReadonlyMap<string, Row>
  /** The highest op number applied, by client and bin; the client heard last comes last. */
  readonly applied: ReadonlyMap<string, ReadonlyMap<string, number>>
}

/** A secret that once opened a visitor's record. All times in ms since the Unix epoch. */
export interface FormerSecret {
  /** Its SHA-256. */
  readonly hash: string
  /** When it was replaced. */
  readonly at: number
  /** Until when it still opens the record; left out as long as nobody has come with its successor. */
  readonly until?: number
  /**
   * SHA-256 of the secret that its device has got since, or was to get; left out where a login on another device has
   * ended it.
   */
  readonly by?: string
  /** Key of the only user for whom it still does; left out: for all. */
  readonly user?: string
}

/** A link by which another device becomes the visitor, once. */
export interface Link {
  /** SHA-256 of its secret. */
  readonly hash: string
  /** Until when it can be used, in ms since the Unix epoch. */
  readonly until: number
  /** Who has used it, for the case that the answer gets lost: nobody else can, and they only for the same. */
  readonly used?: {
    /** Public name of the visitor that the device was before. */
    readonly by: string
    /** SHA-256 of the secret that the device was given. */
    readonly secret: string
  }
}

/** A visitor as which a user is logged in. */
export interface UserVisitor {
  /** The visitor's name in public. */
  readonly tag: string
  /** Key of the visitor's records. */
  readonly key: string
  /** When the user logged in, in ms since the Unix epoch. */
  readonly since: number
  /** What the application calls it. */
  readonly label?: string
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
  const { links: _, ...rest } = record
  return mark({ ...rest, seq, floor: seq, erased: now, bins: new Map(), applied: new Map() }, freshMark)
}

/** Empties a user's record: edits that were made before do not count any more. */
export function forget(
  record: BinsRecord,
  { epoch, mark: fresh, now }: { epoch: string; mark: string; now: number },
): BinsRecord {
  const seq = nextSeq(record, now)
  const emptied = { ...record, epoch, seq, floor: seq, forgotten: now, bins: new Map(), applied: new Map() }
  return mark({ ...emptied, marks: [] }, fresh)
}

/** The latest time at which a record holds data, of whichever browser session; 0 if it holds none. */
export function liveUntil(record: BinsRecord, now: number): number {
  let until = 0
  for (const { text, expires } of record.bins.values()) {
    if (text !== undefined && expires > now) until = Math.max(until, expires)
  }
  return until
}

/** Marks the present state of a record with 32 fresh random bits. */
export function mark(record: BinsRecord, fresh: string): BinsRecord {
  return { ...record, marks: [...record.marks, [record.seq, fresh] as const].slice(-MAX_MARKS) }
}

/** The number of the next change. */
export function nextSeq(record: BinsRecord, now: number): number {
  return Math.max(record.seq + 1, now)
}
