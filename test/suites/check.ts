/**
 * The few assertions of the suites. They import nothing, so that the same lines run in Node and in browsers.
 */

/** Checks that it is the very same value; -0 is not 0, NaN is NaN. */
export function checkSame(actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) throw new Error(`expected ${show(expected)} itself, got ${show(actual)}`)
}

/** Checks that both are built alike: the kinds, the entries and their order, down to -0. */
export function checkEqual(actual: unknown, expected: unknown): void {
  if (!isEqual(actual, expected)) throw new Error(`expected ${show(expected)}, got ${show(actual)}`)
}

/** Checks that both are not the same object. */
export function checkNotSame(actual: unknown, other: unknown): void {
  if (Object.is(actual, other)) throw new Error(`expected another object than ${show(other)}`)
}

/** Checks what a call throws: a code of `BinsError`, or a TypeError. Returns it. */
export function checkThrows(run: () => unknown, expected: string): Thrown {
  try {
    run()
  } catch (error) {
    return checkError(error, expected)
  }
  throw new Error(`expected ${expected}, and nothing was thrown`)
}

/** Checks what a promise is rejected with: a code of `BinsError`, or a TypeError. Returns it. */
export async function checkRejects(promise: Promise<unknown>, expected: string): Promise<Thrown> {
  try {
    await promise
  } catch (error) {
    return checkError(error, expected)
  }
  throw new Error(`expected ${expected}, and it was fulfilled`)
}

/** The parts of an error that the suites look at. */
export interface Thrown {
  readonly message: string
  readonly bin?: unknown
  readonly issues?: ReadonlyArray<{ readonly message: string; readonly path?: unknown }>
}

function checkError(error: unknown, expected: string): Thrown {
  if (!(error instanceof Error)) throw new Error(`expected ${expected}, got ${show(error)}`)
  const code = 'code' in error ? error.code : error.name
  if (code !== expected) throw new Error(`expected ${expected}, got ${String(code)}: ${error.message}`)
  return error
}

function isEqual(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (kindOf(one) !== kindOf(other)) return false
  const [parts, others] = [partsOf(one), partsOf(other)]
  return parts.length === others.length && parts.every((part, index) => isEqual(part, others[index]))
}

function kindOf(value: object): string {
  return Object.prototype.toString.call(value)
}

function partsOf(value: object): unknown[] {
  if (value instanceof Date) return [value.getTime()]
  if (value instanceof URL) return [value.href]
  if (value instanceof Map || value instanceof Set) return [...value]
  return Array.isArray(value) ? value : [...Object.keys(value), ...Object.values(value)]
}

function show(value: unknown): string {
  if (value instanceof Map || value instanceof Set) return `${kindOf(value)} ${show([...value])}`
  if (typeof value === 'object')
    return JSON.stringify(value, (_, part) => (isJson(part) ? part : String(part)))
  return Object.is(value, -0) ? '-0' : String(value)
}

function isJson(value: unknown): boolean {
  return typeof value !== 'bigint' && value !== undefined && !Number.isNaN(value)
}
