import { type CarriedCookie, formatCookies, parseCarried } from '../../core/cookie/cookie-header.ts'
import { SESSION_IDLE } from '../../core/limits.ts'
import type { CookiePlace } from '../page/cookies.ts'
import type { Page } from '../page/page.ts'
import { openDeviceBins } from '../replica/device-bins.ts'
import type { KeptRows } from '../replica/kept-rows.ts'

/** What stands for cookies, for a server that gets none from the browser: pages keep it as they keep device bins. */
export interface CarriedCookies extends CookiePlace {
  /** What a request is to carry. */
  format(): string
  /** Takes in what an answer carries. Resolves when it is stored. */
  take(header: string | null): Promise<unknown>
  /** Stores what is not stored yet, and reads what other pages have stored. */
  update(): Promise<void>
}

/**
 * Opens what stands for cookies. Where it cannot be stored, it lives as long as the page, and is stored as soon as that
 * works; what could not be read at first is never written over.
 *
 * @param options.rows Where it is kept, and nothing else is.
 * @param options.onChange Told when it may have changed.
 */
export async function openCarried(
  { clock }: Pick<Page, 'clock'>,
  { rows, onChange }: { rows: KeptRows; onChange: () => void },
): Promise<CarriedCookies> {
  const bins = await openDeviceBins({
    rows,
    clock,
    session: () => undefined,
    onChange,
  })
  const wasRead = rows.isAtHome()

  function all(): Record<string, string> {
    return Object.fromEntries(bins.names().map((name) => [name, bins.find({ name })?.text ?? '']))
  }

  /** A browser tells no page when it closes: what is to end then ends a day later. */
  function put([name, text, maxAge = SESSION_IDLE]: CarriedCookie): Promise<void> {
    return bins.edit({
      definition: { name, maxAge, renew: 'write' },
      compute: () => (maxAge > 0 ? { text, version: 1 } : undefined),
      at: clock(),
    })
  }

  return {
    all,
    write(name, value, expires) {
      void put([name, value, expires === undefined ? undefined : expires - clock() / 1_000])
    },
    format: () => formatCookies(Object.entries(all())),
    take: (header) => Promise.all(parseCarried(header ?? '').map(put)),
    async update() {
      if (wasRead) await rows.recover()
      await bins.reload()
    },
  }
}
