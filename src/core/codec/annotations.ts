import { MAX_BIGINT_DIGITS } from '../limits.ts'

/** superjson's word for a value that JSON cannot express, with the annotations of the values in it. */
export type Annotation = readonly [type: string, children?: Annotations]

/** What superjson calls `meta.values`: an annotation of the value itself, or those of the values in it. */
export type Annotations = Annotation | Children

/** Annotations by path: the keys that lead there, dots and backslashes in them quoted by a backslash, joined by dots. */
interface Children {
  [path: string]: Annotation
}

const BIGINT = new RegExp(`^(?:0|-?[1-9]\\d{0,${MAX_BIGINT_DIGITS - 1}})$`)

/** Types that may come from outside, each with what its JSON must be. superjson knows more: typed arrays, classes. */
const TYPES = new Map<unknown, (json: unknown) => boolean>([
  ['undefined', (json) => json === null],
  ['number', (json) => json === 'NaN' || json === 'Infinity' || json === '-Infinity' || json === '-0'],
  ['bigint', (json) => typeof json === 'string' && BIGINT.test(json)],
  // `toJSON` of an invalid date is null.
  ['Date', (json) => typeof json === 'string' && new Date(json).toJSON() === json],
  ['URL', isURL],
  ['set', Array.isArray],
  ['map', (json) => Array.isArray(json) && json.every((entry) => Array.isArray(entry) && entry.length === 2)],
])

/**
 * Whether superjson can apply these annotations to this JSON: each type is known and fits what is at its path, and no
 * path leads through what has become a Set or Map, or becomes one twice. Takes time in proportion to their length.
 *
 * superjson itself checks none of it: `["typed-array", "Uint8Array"]` allocates what the JSON says.
 *
 * @param json Free of forbidden keys and not deeper than `MAX_DEPTH`.
 * @param values `meta.values` of the text: `[type, children?]` for the root, else those of the values in it by path.
 */
export function areAnnotations(json: unknown, values: unknown): boolean {
  const annotated = new Set<unknown>()
  return Array.isArray(values) ? annotate(annotated, json, values) : annotateIn(annotated, json, values)
}

/**
 * Adds the annotations of the value at a key to those of the values beside it, in the order of superjson.
 *
 * @param siblings Those of the values beside it so far; changed in place.
 */
export function addAnnotations(
  siblings: Annotations | undefined,
  key: string | number,
  annotations: Annotations | undefined,
): Annotations | undefined {
  if (!annotations) return siblings
  const added: Children = siblings && !isAnnotation(siblings) ? siblings : {}
  const path = String(key).replace(/[\\.]/g, '\\$&')
  if (isAnnotation(annotations)) added[path] = annotations
  else for (const [rest, annotation] of Object.entries(annotations)) added[`${path}.${rest}`] = annotation
  return added
}

function isAnnotation(annotations: Annotations): annotations is Annotation {
  return Array.isArray(annotations)
}

function annotate(annotated: Set<unknown>, json: unknown, annotation: readonly unknown[]): boolean {
  const [type, children] = annotation
  if (annotation.length > 2 || !TYPES.get(type)?.(json)) return false
  const hasChildren = annotation.length === 2
  if (hasChildren && !annotateIn(annotated, json, children)) return false
  if (Array.isArray(json)) annotated.add(json)
  return true
}

function annotateIn(annotated: Set<unknown>, json: unknown, children: unknown): boolean {
  if (typeof children !== 'object' || children === null || Array.isArray(children)) return false
  return Object.entries(children).every(([path, annotation]) => {
    // superjson would take an object here for the annotations below this path. It never writes them so, and a long
    // path shared like that would be written out again for each value.
    if (!Array.isArray(annotation)) return false
    const target = resolve(annotated, json, path)
    return target !== undefined && annotate(annotated, target, annotation)
  })
}

/** The JSON at a path, or `undefined` if it leads nowhere, or into what is no longer JSON. */
function resolve(annotated: ReadonlySet<unknown>, json: unknown, path: string): unknown {
  const keys = toKeys(path)
  if (!keys) return undefined
  let target = json
  for (const key of keys) {
    // An array has its indexes in canonical form, and `length`, which leads to a number: no type fits one.
    if (typeof target !== 'object' || target === null || !Object.hasOwn(target, key)) return undefined
    target = Reflect.get(target, key)
    if (annotated.has(target)) return undefined
  }
  return target
}

/** Splits a path at its dots, where a backslash quotes a dot or a backslash; `undefined` if it quotes anything else. */
function toKeys(path: string): string[] | undefined {
  const keys: string[] = []
  let key = ''
  for (const [token] of path.matchAll(/\\[\\.]|[^\\.]+|[\\.]/g)) {
    if (token === '\\') return undefined
    if (token === '.') {
      keys.push(key)
      key = ''
    } else {
      key += token.startsWith('\\') ? token.slice(1) : token
    }
  }
  return [...keys, key]
}

function isURL(json: unknown): boolean {
  if (typeof json !== 'string') return false
  try {
    return new URL(json).href === json
  } catch {
    // The constructor throws for what is no URL; `URL.canParse` is younger than the browsers we support.
    return false
  }
}
