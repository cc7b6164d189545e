import { BinsError } from '../../core/error.ts'
import type { AnyRequest } from '../http/request-head.ts'

/** How new visitors are kept in bounds: each is a record in the store, and anybody can ask for one. */
export interface MintOptions {
  /** Most visitors that this process makes in a minute, on average. Default: no limit. */
  readonly mintsPerMinute?: number | undefined
  /** Asked before a visitor is made for a request; `false` refuses it, as for a robot. */
  readonly onMint?: ((request: AnyRequest) => boolean) | undefined
}

/** What decides whether another visitor may be made. */
export interface Mints {
  /** @throws {@link BinsError} `NO_VISITOR` if not. */
  check(request: AnyRequest): void
}

const MINUTE = 60_000

/**
 * Opens what decides whether visitors may be made.
 *
 * @throws TypeError for a limit that is none.
 */
export function openMints({ mintsPerMinute = Infinity, onMint }: MintOptions, clock: () => number): Mints {
  if (!(mintsPerMinute > 0)) throw new TypeError('mintsPerMinute: pass a number above 0.')
  let left = mintsPerMinute
  let at = clock()

  /** What was not used of a minute is left for the next one. */
  function refill(): void {
    const now = clock()
    left = Math.min(mintsPerMinute, left + (Math.max(0, now - at) * mintsPerMinute) / MINUTE)
    at = now
  }

  return {
    check(request) {
      if (onMint?.(request) === false) {
        throw new BinsError('NO_VISITOR', 'The application wants no visitor for this request.')
      }
      if (mintsPerMinute === Infinity) return
      refill()
      if (left < 1) throw new BinsError('NO_VISITOR', 'Too many visitors are made; try again in a minute.')
      left -= 1
    },
  }
}
