import { decode, decodeTrusted, encode } from '../codec/codec.ts'
import { freeze } from '../codec/freeze.ts'
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

/** A text to keep, and the data that a reader finds in it, not frozen. */
export interface OwnText {
  readonly text: string
  readonly data: unknown
}

/**
 * Turns data into the text to keep: validated, encoded, and sure to be readable again.
 *
 * @throws {@link BinsError} `INVALID_DATA` with the issues.
 * @throws TypeError for `undefined`.
 */
export function toText(definition: Definition, data: unknown): string {
  return toOwn(definition, data).text
}

/** The same as {@link toText}, with the data: what a caller has passed is the caller's. */
export function toOwn(definition: Definition, data: unknown): OwnText {
  const { name } = definition
  if (data === undefined) {
    throw new TypeError(`Bin ${JSON.stringify(name)}: undefined is no data; pass null to delete the bin.`)
  }
  const text = encodeFor(name, accept(definition, data))
  const own = { text, data: decodeTrusted(text) }
  if (encodeFor(name, accept(definition, own.data)) === text) return own
  throw invalid(name, [{ message: 'the schema changes its own output; make its transforms idempotent' }])
}

/** Reads a text that may come from anybody: a cookie that scripts can write, a sync message. */
export function fromUntrusted(definition: Definition, { text, version }: BinText): Reading {
  return read(definition, decode(text), text, version)
}

/**
 * Turns a text from anybody into the text to keep.
 *
 * @throws {@link BinsError} `INVALID_DATA` with the issues.
 */
export function toOwnText(definition: Definition, { text, version }: BinText): string {
  const decoded = decode(text)
  if (decoded !== undefined) return toText(definition, migrate(definition, decoded, version))
  throw invalid(definition.name, [{ message: 'the text is none that this program writes' }])
}

/** Reads a text that is authenticated or comes from our own store or device. */
export function fromTrusted(definition: Definition, { text, version }: BinText): Reading {
  return read(definition, decodeTrusted(text), text, version)
}

/**
 * Data of an absent bin, deep-frozen: the definition's default, else the schema's answer to `undefined`, which is
 * asked anew by every `Bins`, since it may differ each time.
 */
export function fallback(definition: Definition): unknown {
  const { name, schema } = definition
  if (definition.hasDefault) return freeze(toOwn(definition, definition.default).data)
  if (!schema) return undefined
  const validation = validate(schema, undefined)
  if (!('data' in validation) || validation.data === undefined) return undefined
  return freeze(decodeTrusted(encodeFor(name, validation.data)))
}

function read(definition: Definition, decoded: unknown, text: string, version: number): Reading {
  if (version > definition.version) return { problem: 'outdated' }
  if (decoded === undefined) return { problem: 'unreadable' }
  try {
    const migrated = migrate(definition, decoded, version)
    const validation = validate(definition.schema, migrated)
    if (!('data' in validation)) return { problem: 'invalid' }
    // What the schema returns may share objects with its own defaults: ours is decoded from text, and nobody else's.
    const output = encode(validation.data)
    return { data: freeze(output === text && migrated === decoded ? decoded : decodeTrusted(output)) }
  } catch (cause) {
    // Whatever a schema or a migration throws about stored data, a visitor must not be stopped by it.
    return { problem: 'invalid', cause }
  }
}

function migrate(definition: Definition, data: unknown, version: number): unknown {
  return version < definition.version && definition.migrate ? definition.migrate(data, version) : data
}

function accept({ name, schema }: Definition, data: unknown): unknown {
  const validation = validate(schema, data)
  if ('data' in validation) return validation.data
  throw invalid(name, validation.issues)
}

function encodeFor(name: string, data: unknown): string {
  try {
    return encode(data)
  } catch (error) {
    if (!(error instanceof BinsError)) throw error
    throw invalid(name, error.issues)
  }
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
