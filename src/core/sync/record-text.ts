import type { BinsRecord, Row } from './record.ts'

/** Version of the format of a record's text. */
const FORMAT = 1

/**
 * Formats a record as JSON. Each bin's data stands in it as superjson's output, not as a string, so that whoever looks
 * into a store can read and query it.
 */
export function formatRecord(record: BinsRecord): string {
  const { epoch, seq, marks, floor, bins: _, applied: __, ...meta } = record
  const head = JSON.stringify({ v: FORMAT, epoch, seq, marks, floor, meta })
  const bins = [...record.bins].map(([name, row]) => `${JSON.stringify(name)}:${formatRow(row)}`).join()
  const applied = JSON.stringify(
    Object.fromEntries([...record.applied].map(([client, counts]) => [client, Object.fromEntries(counts)])),
  )
  return `${head.slice(0, -1)},"bins":{${bins}},"applied":${applied}}`
}

/**
 * Parses a record's text.
 *
 * @throws SyntaxError, TypeError for a text that is not of this format: it must not be overwritten.
 */
export function parseRecord(text: string): BinsRecord {
  // Only formatRecord writes such texts; a store that returns anything else is broken, and a throw says so.
  const json = parseJson(text) as RecordJson
  if (json.v !== FORMAT)
    throw new TypeError('The record is of another format than this version of Breadbin knows.')
  return {
    epoch: json.epoch,
    seq: json.seq,
    marks: json.marks,
    floor: json.floor,
    ...json.meta,
    bins: new Map(Object.entries(json.bins).map(([name, row]) => [name, parseRow(row)])),
    applied: new Map(
      Object.entries(json.applied).map(([client, counts]) => [client, new Map(Object.entries(counts))]),
    ),
  }
}

/** V8 quotes the text in its message, and no event may carry data. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new SyntaxError('The record is no JSON.')
  }
}

interface RowJson {
  rev: number
  touched: number
  sv: number
  at: number
  exp: number
  session?: string
  data?: unknown
  gone?: true
}

interface RecordJson {
  v: number
  epoch: string
  seq: number
  marks: Array<[number, string]>
  floor: number
  meta: Omit<BinsRecord, 'epoch' | 'seq' | 'marks' | 'floor' | 'bins' | 'applied'>
  bins: Record<string, RowJson>
  applied: Record<string, Record<string, number>>
}

function formatRow({ rev, touched, text, version, at, expires, session }: Row): string {
  const head = JSON.stringify({ rev, touched, sv: version, at, exp: expires, session })
  return `${head.slice(0, -1)},${text === undefined ? '"gone":true' : `"data":${text}`}}`
}

function parseRow({ rev, touched, sv, at, exp, session, data }: RowJson): Row {
  return {
    rev,
    touched,
    version: sv,
    at,
    expires: exp,
    ...(session === undefined ? {} : { session }),
    ...(data === undefined ? {} : { text: JSON.stringify(data) }),
  }
}
