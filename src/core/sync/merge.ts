import { isSame } from '../codec/same.ts'
import { type BinText, fromTrusted, toText } from '../definition/bin-text.ts'
import type { Definition, Definitions } from '../definition/definition.ts'

/** Two edits that were made without knowing of each other; `undefined` = the bin is absent. */
export interface Conflict {
  /** What both edits started from. */
  readonly base: BinText | undefined
  /** The edit that came second. */
  readonly mine: BinText | undefined
  /** What is kept now. */
  readonly theirs: BinText | undefined
}

/** Merges conflicting edits of a bin; `null` deletes it, `undefined` where no rule does it, or it failed. */
export type MergeBin = (bin: string, conflict: Conflict) => BinText | null | undefined

/** Whether conflicting edits of a bin are merged, by a rule that needs to know what both started from. */
export function isMerged({ merge }: Pick<Definition, 'merge'>): boolean {
  return merge === 'fields' || typeof merge === 'function'
}

/**
 * Merges conflicting edits by the definition's rule.
 *
 * @returns The text to keep, `null` to delete the bin, or `undefined` if the definition has no such rule, or it failed.
 */
export function mergeTexts(definition: Definition, conflict: Conflict): string | null | undefined {
  const { merge, version } = definition
  if (merge === 'latest' || merge === 'server') return undefined
  // What a newer version of the program wrote would pass for absent.
  if (Object.values(conflict).some((kept: BinText | undefined) => kept && kept.version > version))
    return undefined
  const [base, mine, theirs] = [conflict.base, conflict.mine, conflict.theirs].map((kept) => {
    const reading = kept && fromTrusted(definition, kept)
    return reading && 'data' in reading ? reading.data : undefined
  })
  try {
    const merged = merge === 'fields' ? mergeFields(base, mine, theirs) : merge(base, mine, theirs)
    return merged === null || merged === undefined ? null : toText(definition, merged)
  } catch {
    // Neither edit may be lost because the application's rule cannot handle the pair: the caller keeps both.
    return undefined
  }
}

/** Merges by the definitions' rules. */
export function mergeBy({ knows, find }: Definitions): MergeBin {
  return (bin, conflict) => {
    // Another version of the program may have made it.
    if (!knows(bin)) return undefined
    const definition = find(bin)
    const text = mergeTexts(definition, conflict)
    return typeof text === 'string' ? { text, version: definition.version } : text
  }
}

/**
 * Merges field by field: who changed a field wins, and where both did, `mine`, the edit that came second. Plain objects
 * are merged all the way down, everything else as a whole.
 */
export function mergeFields(base: unknown, mine: unknown, theirs: unknown): unknown {
  if (isSame(mine, base)) return theirs
  if (isSame(theirs, base)) return mine
  if (!isPlain(mine) || !isPlain(theirs)) return mine === undefined ? theirs : mine
  const from = isPlain(base) ? base : {}
  const merged: Array<[string, unknown]> = []
  for (const key of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const value = mergeFields(ownValue(from, key), ownValue(mine, key), ownValue(theirs, key))
    if (value !== undefined) merged.push([key, value])
  }
  return Object.fromEntries(merged)
}

function isPlain(data: unknown): data is Record<string, unknown> {
  if (typeof data !== 'object' || data === null) return false
  const prototype = Object.getPrototypeOf(data)
  return prototype === null || prototype === Object.prototype
}

function ownValue(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}
