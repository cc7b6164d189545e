import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { Definitions } from '../../../src/core/definition/definition.ts'

/** Versions of the program that a simulated site has run. */
export type ProgramVersion = 1 | 2

/** Names of the bins. */
export const BIN_NAMES = ['list', 'count', 'log', 'trail', 'note', 'form', 'seat', 'offer', 'plan'] as const

/** Name of a bin. */
export type SimulatedBin = (typeof BIN_NAMES)[number]

/** Fields of the bin `form`. */
export const FIELDS = ['red', 'green', 'blue'] as const

/** Lifetime of the bin `offer`, in ms. */
export const OFFER_MS = 120_000

/**
 * The bins of the simulated site. Every edit has an id, and each bin's data tells which edits are in it, so that one that
 * is lost or made twice shows.
 */
export const PROGRAMS: Readonly<Record<ProgramVersion, Definitions>> = { 1: define(1), 2: define(2) }

/** Ids in the bin `list`. */
export function listOf(data: unknown): readonly string[] {
  if (Array.isArray(data)) return data
  return isObject(data) && Array.isArray(data.ids) ? data.ids : []
}

/** Data of the bin `list` in a version of the program. */
export function toList(version: ProgramVersion, ids: readonly string[]): unknown {
  return version === 1 ? ids : { ids }
}

/** Ids of the edits in a bin's data. */
export function idsIn(bin: string, data: unknown): readonly string[] {
  if (bin === 'count') return []
  if (isList(bin)) return listOf(data)
  return isObject(data) ? Object.values(data).map(String) : []
}

/** Whether a bin holds all ids. */
export function isList(bin: string): boolean {
  return bin === 'list' || isChain(bin)
}

/** Whether a bin holds all ids, each edit made on those before it. */
export function isChain(bin: string): boolean {
  return bin === 'log' || bin === 'trail'
}

function define(version: ProgramVersion): Definitions {
  // Longer than anybody sleeps.
  const ours = { browser: 'write', maxAge: '365d' } as const
  const single = { ...ours, schema: schemaOf(isObject) }
  return defineBins(
    {
      // Unique ids, of which none may be lost or come twice.
      list: {
        schema: schemaOf(version === 1 ? isTexts : (data) => isObject(data) && isTexts(data.ids)),
        ...ours,
        version,
        migrate: (data) => ({ ids: data }),
        merge: (base, mine, theirs) => {
          const ids = mergeLists(listOf(base), listOf(mine), listOf(theirs))
          return ids.length === 0 ? null : toList(version, ids)
        },
      },
      count: {
        schema: schemaOf((data) => typeof data === 'number'),
        default: 0,
        ...ours,
        merge: (base, mine, theirs) => Number(theirs ?? 0) + Number(mine ?? 0) - Number(base ?? 0),
      },
      // Each edit is made on all those before it, or refused.
      log: {
        schema: schemaOf(isTexts),
        ...ours,
        merge: () => {
          throw new Error('Nobody can merge two logs.')
        },
      },
      // The same by `update` alone, which nobody may overwrite.
      trail: { ...ours, schema: schemaOf(isTexts) },
      note: single,
      form: { ...single, merge: 'fields' },
      seat: { ...single, merge: 'server' },
      offer: { ...single, maxAge: OFFER_MS / 1_000 },
      plan: { ...single, browser: 'read' },
    },
    { others: { maxAge: '365d' } },
  )
}

/** Takes from one list what the other edit took from it, and adds what that added: also twice, so that it shows. */
function mergeLists(base: readonly string[], mine: readonly string[], theirs: readonly string[]): string[] {
  const kept = theirs.filter((id) => mine.includes(id) || !base.includes(id))
  return [...kept, ...mine.filter((id) => !base.includes(id))]
}

/** A Standard Schema. */
interface Schema<Data> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => { value: Data } | { issues: ReadonlyArray<{ message: string }> }
    readonly types?: { readonly input: Data; readonly output: Data }
  }
}

/** Makes a Standard Schema. */
export function schemaOf<Data = unknown>(isValid: (data: unknown) => boolean): Schema<Data> {
  const validate = (value: unknown) =>
    // What is valid is of the type that the caller says.
    isValid(value) ? { value: value as Data } : { issues: [{ message: 'is of another shape' }] }
  return { '~standard': { version: 1, vendor: 'breadbin', validate } }
}

/** Whether data is a list of texts. */
export function isTexts(data: unknown): data is string[] {
  return Array.isArray(data) && data.every((text) => typeof text === 'string')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
