import { check } from '../check.ts'
import type { BinText } from './bin-text.ts'
import type { Definition } from './definition.ts'

/** Which bins may be kept, and what the others hold as long as a page or a request lives. */
export interface Consent {
  /** Whether a bin may be kept. */
  allows(definition: Definition): boolean
  /** Whether it is known that a bin may not be kept: what was kept of it has to go. */
  forbids(definition: Definition): boolean
  /** Texts of bins that may not be kept, by name. */
  readonly held: Map<string, BinText>
}

/**
 * Reads a list of categories.
 *
 * @throws TypeError for anything else: what is not agreed to is deleted.
 */
export function toCategories(list: unknown): ReadonlySet<string> {
  check(Array.isArray(list), 'consent', "pass a list, such as ['preferences']")
  return new Set(list)
}

/**
 * Prepares to look at a visitor's consent.
 *
 * @param granted Categories that the visitor has agreed to; `undefined` as long as that is not known. Asked only about bins
 * that need consent.
 */
export function openConsent(granted: () => { has(category: string): boolean } | undefined): Consent {
  return {
    allows: ({ consent }) => consent === undefined || granted()?.has(consent) === true,
    forbids: ({ consent }) => consent !== undefined && granted()?.has(consent) === false,
    held: new Map(),
  }
}
