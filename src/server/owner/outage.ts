import { BinsError } from '../../core/error.ts'
import { storeDown } from '../errors.ts'
import type { ServerParts } from '../parts.ts'

/** What a request knows of stores that are down. */
export interface Outage {
  /** Whether a store could not be read in this request. */
  isNoted(): boolean
  /**
   * Reads, and notes if that fails.
   *
   * @throws What it failed with, if it was not the store that failed, or the site wants to know.
   */
  tolerate(read: () => Promise<void>): Promise<void>
  /** @throws {@link BinsError} `STORE_FAILED` if a store could not be read: what is not known must not be changed. */
  check(): void
}

/** Opens what one request knows of stores that are down. */
export function openOutage({ onStoreDown }: Pick<ServerParts, 'onStoreDown'>): Outage {
  let reason: unknown

  return {
    isNoted: () => reason !== undefined,
    async tolerate(read) {
      try {
        await read()
      } catch (cause) {
        if (onStoreDown === 'error' || !isOutage(cause)) throw cause
        reason ??= cause
      }
    },
    check() {
      if (reason !== undefined) throw storeDown(reason)
    },
  }
}

/** Whether a call failed because of the store, and not because of us. */
function isOutage(cause: unknown): boolean {
  return cause instanceof BinsError && (cause.code === 'STORE_FAILED' || cause.code === 'STORE_TIMEOUT')
}
