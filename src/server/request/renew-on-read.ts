import type { Consent } from '../../core/definition/consent.ts'
import type { Definition } from '../../core/definition/definition.ts'
import type { CookieBins } from '../cookies/cookie-bins.ts'
import type { Jar } from '../http/cookie-jar.ts'
import { mayRenewCookies, type RequestHead } from '../http/request-head.ts'
import type { ServerParts } from '../parts.ts'
import type { RecordBins } from './record-bins.ts'

/** Circumstances of {@link keepUp}. */
export interface UpkeepOptions {
  /** The request. */
  readonly head: RequestHead
  /** Its cookies. */
  readonly jar: Jar
  /** What its visitor has agreed to. */
  readonly consent: Consent
  /** Its cookie bins. */
  readonly cookies: CookieBins
  /** Its server bins. */
  readonly records: () => RecordBins
  /** Deletes a bin. */
  readonly remove: (definition: Definition) => void
}

/**
 * What opening bins does besides: deletes what may not be kept any more, and starts the lifetimes anew of those that reading
 * keeps alive. But no plain read sets a cookie.
 */
export function keepUp(
  { definitions }: ServerParts,
  names: readonly string[],
  { head, jar, consent, cookies, records, remove }: UpkeepOptions,
): Promise<void> | undefined {
  if (!mayRenewCookies(head)) return undefined
  const renewed: Definition[] = []
  for (const definition of names.map(definitions.find)) {
    if (definition.storage === 'device') continue
    if (consent.forbids(definition)) {
      if (isKept(definition)) remove(definition)
    } else if (definition.renew === 'read' && consent.allows(definition)) {
      if (definition.storage === 'cookie') cookies.renew(definition)
      else renewed.push(definition)
    }
  }
  return renewed.length > 0 ? records().renew(renewed) : undefined

  function isKept(definition: Definition): boolean {
    return definition.storage === 'cookie'
      ? jar.values(jar.binName(definition.name)).length > 0
      : records().find(definition) !== undefined
  }
}
