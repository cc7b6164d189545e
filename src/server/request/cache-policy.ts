import { fromCookieName } from '../../core/cookie/cookie-format.ts'
import type { Definition, Definitions } from '../../core/definition/definition.ts'
import type { Change, Jar } from '../http/cookie-jar.ts'
import type { RequestHead } from '../http/request-head.ts'
import { type AnyResponse, disclose } from '../http/response-headers.ts'

/** What a response is to tell caches and the browser: it depends on what the request has read and changed. */
export interface Disclosure {
  /** Notes that the response depends on a bin. */
  readBin(definition: Definition): void
  /** Notes that the response depends on who asks. */
  readOwner(): void
  /** Notes that the response says something that no cache is to keep. */
  tellSecret(): void
  /** Whether there is anything to tell. */
  isNeeded(): boolean
  /** Whether there are cookies that no response has got yet. */
  isDue(): boolean
  /** Writes cookies and cache headers into a response; leaves it as it is if there is nothing to tell. */
  writeTo(response: AnyResponse): void
}

/** Starts to note what the response of a request is to tell. */
export function openDisclosure(
  definitions: Definitions,
  jar: Jar,
  { transport, origins }: Pick<RequestHead, 'transport' | 'origins'>,
): Disclosure {
  let dependsOnCookies = false
  let dependsOnOwner = false
  let isSecretTold = false
  const written = new Map<string, Change>()

  /** A plain cookie holds no more than scripts of the page can see and write anyway. */
  function isPlain(cookie: string): boolean {
    const bin = fromCookieName(definitions.cookie.prefix, cookie)
    return bin !== undefined && definitions.knows(bin) && definitions.find(bin).browser === 'write'
  }

  return {
    readBin({ storage, browser }) {
      if (storage === 'server' || browser === 'read' || browser === 'none') dependsOnOwner = true
      else if (storage === 'cookie') dependsOnCookies = true
    },
    readOwner() {
      dependsOnOwner = true
    },
    tellSecret() {
      dependsOnOwner = true
      isSecretTold = true
    },
    isNeeded() {
      return dependsOnCookies || dependsOnOwner || jar.changes.size > 0
    },
    isDue() {
      return [...jar.changes].some(
        ([name, change]) => change.line !== undefined && written.get(name) !== change,
      )
    },
    writeTo(response) {
      const lines = new Map<string, string | undefined>()
      for (const [name, change] of jar.changes) {
        lines.set(name, change.line)
        written.set(name, change)
      }
      const isSecret = isSecretTold || [...lines].some(([name, line]) => line !== undefined && !isPlain(name))
      // Where others may carry their cookies in a header, caches are to tell them apart from those who have none.
      const hasCarriers = transport === 'header' || origins.length > 0
      disclose(response, { lines, isSecret, dependsOnCookies, dependsOnOwner, transport, hasCarriers })
    },
  }
}
