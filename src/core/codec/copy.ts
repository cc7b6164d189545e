import { BinsError } from '../error.ts'
import { MAX_BIGINT_DIGITS, MAX_DEPTH, MAX_PATH_LENGTH, MAX_VALUES } from '../limits.ts'
import { type Annotations, addAnnotations } from './annotations.ts'
import { type BuiltIn, isBuiltIn } from './freeze.ts'

/** Data that has passed the codec's rules, as superjson writes it. */
export interface Copy {
  /** The data in JSON; whatever was shared is there once for each place. */
  readonly json: unknown
  /** What it takes to make the data of the JSON again; `undefined` where JSON expresses all of it. */
  readonly annotations: Annotations | undefined
}

interface Walk {
  /** Keys from the root to the present value, as in the JSON: entry `i` of a Map is at `i.0` and `i.1`. */
  readonly path: Array<string | number>
  readonly ancestors: object[]
  values: number
  /** Those of the present value, as far as it has been copied. */
  annotations: Annotations | undefined
}

const BIGINT_LIMIT = 10n ** BigInt(MAX_BIGINT_DIGITS)

/**
 * Copies data as JSON with superjson's annotations, reading everything exactly once: neither a getter nor a proxy can
 * show the rules one thing and the serializer another. A getter counts as the data it answers, as in JSON.
 *
 * @throws {@link BinsError} `INVALID_DATA` with the first offence, for whatever would not come back as it is.
 */
export function copy(data: unknown): Copy {
  const walk: Walk = { path: [], ancestors: [], values: 0, annotations: undefined }
  if (data === undefined) throw refusal(walk, 'undefined is no data')
  const json = copyValue(walk, data)
  return { json, annotations: walk.annotations }
}

/** Whether code that assigns to this key, ours or anybody's, might reach a prototype. */
export function isForbiddenKey(key: string): boolean {
  return key === '__proto__' || key === 'constructor' || key === 'prototype'
}

function copyValue(walk: Walk, value: unknown): unknown {
  if (walk.path.length > MAX_DEPTH) throw refusal(walk, `deeper than ${MAX_DEPTH} levels`)
  walk.values += 1
  // Objects that share their children twice a level hold billions of values within the depth.
  if (walk.values > MAX_VALUES) throw refusal(walk, `more than ${MAX_VALUES} values`)
  switch (typeof value) {
    case 'boolean':
      return value
    case 'string':
      if (!isWellFormed(value)) throw refusal(walk, 'a string with half a surrogate pair')
      return value
    case 'number':
      if (Object.is(value, -0)) return copyAs(walk, 'number', () => '-0')
      return Number.isFinite(value) ? value : copyAs(walk, 'number', () => String(value))
    case 'undefined':
      return copyAs(walk, 'undefined', () => null)
    case 'bigint':
      if (value >= BIGINT_LIMIT || value <= -BIGINT_LIMIT) {
        throw refusal(walk, `a bigint of more than ${MAX_BIGINT_DIGITS} digits`)
      }
      return copyAs(walk, 'bigint', () => String(value))
    case 'object':
      return value === null ? value : copyObject(walk, value)
    default:
      throw refusal(walk, `a ${typeof value} is no data`)
  }
}

function copyObject(walk: Walk, value: object): unknown {
  if (walk.ancestors.includes(value)) throw refusal(walk, 'a cycle')
  walk.ancestors.push(value)
  const copied = copyKind(walk, value)
  walk.ancestors.pop()
  return copied
}

function copyKind(walk: Walk, value: object): unknown {
  if (isArray(value)) return copyArray(walk, value)
  if (isRecord(value)) return copyRecord(walk, value)
  if (isBuiltIn(value)) return copyBuiltIn(walk, value)
  throw refusal(walk, 'an instance of a class; make it a plain object')
}

function copyArray(walk: Walk, value: readonly unknown[]): unknown[] {
  const copied: unknown[] = []
  for (let index = 0; index < value.length; index += 1) {
    const element = value[index]
    const isHole = element === undefined && !Object.hasOwn(value, index)
    if (isHole) throw refusal(walk, 'a hole in an array', index)
    copied.push(copyAt(walk, index, element, copyValue))
  }
  const hasMore = Object.keys(value).length > value.length
  if (hasMore) throw refusal(walk, 'a property of an array would be lost')
  return copied
}

function copyRecord(walk: Walk, value: Record<string, unknown>): Record<string, unknown> {
  const keys = Object.keys(value)
  // `Reflect.ownKeys` gives both at once, and takes four times as long.
  if (Object.getOwnPropertyNames(value).length > keys.length) {
    throw refusal(walk, 'a property that is not enumerable would be lost')
  }
  if (Object.getOwnPropertySymbols(value).length > 0) {
    throw refusal(walk, 'a property whose key is a symbol would be lost')
  }
  const copied: Record<string, unknown> = {}
  for (const key of keys) {
    if (isForbiddenKey(key)) throw refusal(walk, 'a key that can reach a prototype', key)
    if (!isWellFormed(key)) throw refusal(walk, 'a key with half a surrogate pair', key)
    copied[key] = copyAt(walk, key, value[key], copyValue)
  }
  return copied
}

function copyBuiltIn(walk: Walk, value: BuiltIn): unknown {
  if (Reflect.ownKeys(value).length > 0)
    throw refusal(walk, 'a property of a Date, Map, Set or URL would be lost')
  if (value instanceof Date) return copyAs(walk, 'Date', () => copyDate(walk, value))
  if (value instanceof URL) return copyAs(walk, 'URL', () => copyURL(walk, value))
  if (value instanceof Set) return copyAs(walk, 'set', () => copyAll(walk, value, copyValue))
  return copyAs(walk, 'map', () => copyAll(walk, value, copyEntry))
}

function copyDate(walk: Walk, value: Date): string {
  const date = new Date(value)
  if (Number.isNaN(date.getTime())) throw refusal(walk, 'an invalid Date')
  return date.toISOString()
}

function copyURL(walk: Walk, value: URL): string {
  const { href } = new URL(value)
  // Setters can make one that does not: http://a/C| with the protocol file: (Node 20 and 24).
  if (href !== value.href) throw refusal(walk, 'a URL that does not parse back to itself')
  return href
}

function copyAll<T>(walk: Walk, values: Iterable<T>, how: (walk: Walk, value: T) => unknown): unknown[] {
  return Array.from(values, (value, index) => copyAt(walk, index, value, how))
}

function copyEntry(walk: Walk, entry: [unknown, unknown]): unknown[] {
  return copyAll(walk, entry, copyValue)
}

/** Copies what is at a key of the present value, and adds its annotations to those of the value. */
function copyAt<T>(
  walk: Walk,
  key: string | number,
  value: T,
  how: (walk: Walk, value: T) => unknown,
): unknown {
  const siblings = walk.annotations
  walk.annotations = undefined
  walk.path.push(key)
  const copied = how(walk, value)
  walk.path.pop()
  walk.annotations = addAnnotations(siblings, key, walk.annotations)
  return copied
}

/** Copies a value that JSON cannot express: as `write` writes it, annotated with superjson's word for it. */
function copyAs(walk: Walk, type: string, write: () => unknown): unknown {
  if (walk.path.join('.').length > MAX_PATH_LENGTH) {
    throw refusal(
      walk,
      `more than ${MAX_PATH_LENGTH} characters of keys above a value that JSON cannot express`,
    )
  }
  const json = write()
  walk.annotations = walk.annotations ? [type, walk.annotations] : [type]
  return json
}

function isArray(value: object): value is readonly unknown[] {
  if (!Array.isArray(value)) return false
  const prototype: object | null = Object.getPrototypeOf(value)
  // Array.prototype is itself an array, in every realm, and the prototype of a class that extends Array is none.
  return (
    prototype === Array.prototype || (Array.isArray(prototype) && isRoot(Object.getPrototypeOf(prototype)))
  )
}

function isRecord(value: object): value is Record<string, unknown> {
  const prototype: object | null = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || isRoot(prototype)
}

/** Whether it is the Object.prototype of some realm: a frame has its own, and so has `node:vm`, where tests run. */
function isRoot(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf')
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}

function refusal(walk: Walk, message: string, key?: string | number): BinsError {
  const path = key === undefined ? [...walk.path] : [...walk.path, key]
  return new BinsError('INVALID_DATA', `The data was refused: ${message}.`, { issues: [{ message, path }] })
}
