import { type Consent, openConsent, toCategories } from '../../core/definition/consent.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { ServerParts } from '../parts.ts'

/** For sites none of whose bins needs consent. */
const NONE_NEEDED = openConsent(() => undefined)

/** Prepares to look at the consent of a request's visitor. Asks the application once, and only if a bin needs it. */
export function consentOf({ consent }: ServerParts, { request }: RequestHead): Consent {
  if (!consent) return NONE_NEEDED
  let answer: { readonly categories: ReadonlySet<string> | undefined } | undefined
  return openConsent(() => {
    if (!answer) {
      const list = consent(request)
      answer = { categories: list && toCategories(list) }
    }
    return answer.categories
  })
}
