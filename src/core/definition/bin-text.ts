import {
  type Decoded,
  decode,
  decodeTrusted,
  type Encoded,
  encodeCopy,
  tryEncode,
  type Unencodable,
} from '../codec/codec.ts'
import { freeze } from '../codec/freeze.ts'
import { isSame } from '../codec/same.ts'
import { BinsError, type Issue } from '../error.ts'
import type { Definition } from './definition.ts'
import { validate } from './schema.ts'

/** Text of a bin with the version of the definition that wrote it. */
export interface BinText {
  /** The encoded data. */
  readonly text: string
  /** Version of the data's shape. */
  readonly version: number
}

/** What a text holds for this definition: data, deep-frozen, or why it cannot be used. */
export type Reading =
  | { readonly data: unknown }
  | { readonly problem: 'unreadable' | 'invalid' | 'outdated'; readonly cause?: unknown }

/**
 * Turns data into the text to keep: validated, encoded, and sure to be readable again.
 *
 * @throws {@link BinsError} `INVALID_DATA` with the issues.
 * @throws TypeError for `undefined`.
 */
export function toText(definition: Definition, data: unknown): string {
  return toOwn(definition, data).text
}

/** The same as {@link toText}, with the data that a reader finds in the text: what a caller has passed is the caller's. */
export function toOwn(definition: Definition, data: unknown): Encoded {
  const { name } = definition
  if (data === undefined) {
    throw new TypeError(`Bin ${JSON.stringify(name)}: undefined is no data; pass null to delete the bin.`)
  }
  return settle(definition, data, tryEncode(data))
}

/** Reads a text that may come from anybody: a cookie that scripts can write, a sync message. */
export function fromUntrusted(definition: Definition, { text, version }: BinText): Reading {
  return read(definition, decode(text), version)
}

/**
 * Turns a text from anybody into the text to keep.
 *
 * @throws {@link BinsError} `INVALID_DATA` with the issues.
 */
export function toOwnText(definition: Definition, { text, version }: BinText): string {
  const decoded = decode(text)
  if (!decoded) throw invalid(definition.name, [{ message: 'the text is none that this program writes' }])
  const { data, own } = decoded
  const migrated = migrate(definition, data, version)
  return migrated === data ? settle(definition, data, own).text : toText(definition, migrated)
}

/** Reads a text that is authenticated or comes from our own store or device. */
export function fromTrusted(definition: Definition, { text, version }: BinText): Reading {
  return read(definition, { data: decodeTrusted(text) }, version)
}

/**
 * Data of an absent bin, deep-frozen: the definition's default, else the schema's answer to `undefined`, which is
 * asked anew by every `Bins`, since it may differ each time.
 */
export function fallback(definition: Definition): unknown {
  const { schema } = definition
  if (definition.hasDefault) return freeze(toOwn(definition, definition.default).data)
  if (!schema) return undefined
  const validation = validate(schema, undefined)
  if (!('data' in validation) || validation.data === undefined) return undefined
  return freeze(encodeFor(definition, validation.data).data)
}

function read(definition: Definition, decoded: Partial<Decoded> | undefined, version: number): Reading {
  if (version > definition.version) return { problem: 'outdated' }
  if (decoded?.data === undefined) return { problem: 'unreadable' }
  const { data, own } = decoded
  try {
    const validation = validate(definition.schema, migrate(definition, data, version))
    if (!('data' in validation)) return { problem: 'invalid' }
    // What the schema returns may share objects with its own defaults: a copy is nobody else's.
    const copy = own && isSame(validation.data, own.data) ? own : encodeCopy(validation.data)
    return { data: freeze(copy.data) }
  } catch (cause) {
    // Whatever a schema or a migration throws about stored data, a visitor must not be stopped by it.
    return { problem: 'invalid', cause }
  }
}

function migrate(definition: Definition, data: unknown, version: number): unknown {
  return version < definition.version && definition.migrate ? definition.migrate(data, version) : data
}

/**
 * Asks the schema about data. It is asked once where it leaves the data as they are, and once more about its output where
 * it does not, which the output must outlast.
 *
 * @param before The data, encoded before the schema could change them.
 */
function settle(definition: Definition, data: unknown, before: Encoded | Unencodable): Encoded {
  const output = accept(definition, data)
  if (before.text !== undefined && isSame(output, before.data)) return before
  const own = encodeFor(definition, output)
  if (own.text === before.text) return own
  const again = encodeFor(definition, accept(definition, own.data))
  if (again.text === own.text) return again
  throw invalid(definition.name, [
    { message: 'the schema changes its own output; make its transforms idempotent' },
  ])
}

function accept({ name, schema }: Definition, data: unknown): unknown {
  const validation = validate(schema, data)
  if ('data' in validation) return validation.data
  throw invalid(name, validation.issues)
}

function encodeFor({ name }: Definition, data: unknown): Encoded {
  const own = tryEncode(data)
  if (own.text !== undefined) return own
  throw invalid(name, own.issues)
}

function invalid(name: string, issues: readonly Issue[]): BinsError {
  const [first] = issues
  const path = (first?.path ?? []).map((key) => String(typeof key === 'object' ? key.key : key)).join('.')
  const reason = `${path && `at ${path}: `}${first?.message ?? 'the schema refused it'}`
  return new BinsError('INVALID_DATA', `Data for bin ${JSON.stringify(name)} was refused: ${reason}.`, {
    bin: name,
    issues,
  })
}
