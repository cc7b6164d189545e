import * as z from 'zod/mini'
import { MAX_BINS, MAX_NAME_BYTES, MAX_OPS } from '../../core/limits.ts'
import { type LinkRequest, PROTOCOL, type SyncRequest } from '../../core/sync/wire.ts'

const count = z.int().check(z.nonnegative())
const word = (longest: number) => z.string().check(z.regex(/^[\w.-]+$/), z.maxLength(longest))

const op = z.strictObject({
  n: count.check(z.positive()),
  bin: z.string().check(z.minLength(1), z.maxLength(MAX_NAME_BYTES)),
  base: z.nullable(count),
  // What is in it is for each op alone to answer for: the others are none the worse for it.
  text: z.optional(z.string()),
  gone: z.optional(z.literal(true)),
  strict: z.optional(z.literal(true)),
  age: z.number().check(z.nonnegative()),
  sv: count.check(z.positive()),
  also: z.optional(z.strictObject({ client: word(64), n: count.check(z.positive()) })),
})

const part = z.strictObject({
  owner: z.enum(['visitor', 'user']),
  store: word(64),
  tag: z.nullable(word(64)),
  cursor: z.nullable(word(128)),
  ops: z.array(op),
})

const request = z.strictObject({
  v: z.literal(PROTOCOL),
  client: word(64),
  parts: z.array(part).check(z.minLength(1), z.maxLength(MAX_BINS)),
})

const linkRequest = z.strictObject({
  v: z.literal(PROTOCOL),
  token: z.string().check(z.maxLength(256)),
  merge: z.optional(z.literal(true)),
})

const change = z.object({
  store: word(64),
  key: z.string().check(z.minLength(1), z.maxLength(128)),
  version: count,
  cursor: word(128),
})

/** A record that was written: what the processes of a site tell each other. */
export type Change = z.infer<typeof change>

const place = z.string().check(z.regex(/^(user\/)?[\w.-]+$/), z.maxLength(69))
const cursors = z.record(place, word(128))

/** Parses a message of the bus; `undefined` if it is of somebody else, or of another version of Breadbin. */
export function parseChange(text: string): Change | undefined {
  return change.safeParse(parseJson(text)).data
}

/** Parses the cursors that a long poll knows; `undefined` if it is not a list of them. */
export function parseCursors(text: string): ReadonlyMap<string, string> | undefined {
  const { data } = cursors.safeParse(parseJson(text))
  return data && new Map(Object.entries(data))
}

/** Parses JSON; `undefined` if it is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A SyntaxError.
    return undefined
  }
}

/** Parses the body of a sync request; `undefined` if it is not one. */
export function parseSyncRequest(json: unknown): SyncRequest | undefined {
  const parsed = request.safeParse(json)
  if (!parsed.success) return undefined
  // The schema above is the interface, but for the compiler's view of optional properties.
  const body = parsed.data as SyncRequest
  const places = new Set(body.parts.map(({ owner, store }) => `${owner}/${store}`))
  const ops = opsOf(body)
  return places.size === body.parts.length && ops.length <= MAX_OPS && ops.every(isOneOrOther)
    ? body
    : undefined
}

/** Parses the body of a request that uses a link; `undefined` if it is not one. */
export function parseLinkRequest(json: unknown): LinkRequest | undefined {
  // The schema above is the interface, but for the compiler's view of optional properties.
  return linkRequest.safeParse(json).data as LinkRequest | undefined
}

/** All ops of a request. */
export function opsOf({ parts }: SyncRequest): SyncRequest['parts'][number]['ops'] {
  return parts.flatMap(({ ops }) => ops)
}

function isOneOrOther({ text, gone }: { text?: string; gone?: true }): boolean {
  return (text === undefined) === (gone === true)
}
