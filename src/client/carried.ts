import { SESSION_IDLE } from '../core/limits.ts'
import type { CarriedCookie } from '../core/transport.ts'
import { openDeviceBins } from './device-bins.ts'
import type { KeptRows } from './kept-rows.ts'
import type { CookiePlace } from './storages/cookie.ts'

/** What stands for cookies, for a server that gets none from the browser: pages keep it as they keep device bins. */
export interface CarriedCookies extends CookiePlace {
  /** Takes in what an answer of the server says. Resolves when it is stored. */
  take(cookies: readonly CarriedCookie[]): Promise<unknown>
  /** Stores what is not stored yet, and reads what other pages have stored. */
  update(): Promise<void>
  /** Whether it outlives the page. */
  readonly isKept: boolean
}

/** Circumstances of {@link openCarried}. */
export interface CarriedOptions {
  /** Where it is kept, and nothing else is. */
  readonly rows: KeptRows
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** Told after each change. */
  readonly onChange: () => void
}

/**
 * Opens what stands for cookies. Where it cannot be stored, it lives as long as the page, and is stored as soon as that
 * works; what could not be read at first is never written over.
 */
export async function openCarried({ rows, clock, onChange }: CarriedOptions): Promise<CarriedCookies> {
  const bins = await openDeviceBins({
    rows,
    clock,
    session: () => undefined,
    onChange() {
      const before = shown
      shown = JSON.stringify(all())
      if (shown !== before) onChange()
    },
  })
  const isKept = () => rows.storage.kind === 'indexeddb'
  const wasRead = isKept()
  let shown = JSON.stringify(all())

  function all(): Record<string, string> {
    return Object.fromEntries(bins.names().map((name) => [name, bins.find({ name })?.text ?? '']))
  }

  /** A browser tells no page when it closes: what is to end then ends a day later. */
  function put({ name, value, maxAge = SESSION_IDLE }: CarriedCookie): Promise<void> {
    const definition = { name, maxAge, renew: 'write' } as const
    const compute = () => (maxAge > 0 ? { text: value, version: 1 } : undefined)
    return bins.edit({ definition, compute, at: clock() })
  }

  return {
    all,
    write(name, value, expires) {
      void put({ name, value, maxAge: expires === undefined ? undefined : expires - clock() / 1_000 })
    },
    take: (cookies) => Promise.all(cookies.map(put)),
    async update() {
      await bins.flush()
      if (wasRead) await rows.recover()
      await bins.reload()
    },
    get isKept() {
      return isKept()
    },
  }
}
