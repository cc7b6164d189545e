import { BinsError } from '../core/error.ts'
import { storeDown } from './errors.ts'
import type { ServerParts } from './parts.ts'
import type { Records } from './records.ts'

/**
 * What a request gets whose server bins cannot be read.
 *
 * `'error'`: `open` rejects. `'read-only'`: what this process has read or written last of the visitor's bins, as far as it
 * remembers, and otherwise the default. `'empty'`: always the default.
 *
 * With the last two, `loaded(name)` of server bins is `false`, and whatever writes one throws `STORE_FAILED`.
 */
export type OnStoreDown = 'error' | 'read-only' | 'empty'

/** What a request knows of stores that are down. */
export interface Outage {
  /** Whether a store could not be read in this request. */
  isNoted(): boolean
  /** For reading: with `'read-only'`, what cannot be read is what this process remembers of it. */
  readonly parts: ServerParts
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
export function openOutage(parts: ServerParts): Outage {
  const { onStoreDown } = parts
  let reason: unknown

  function note(cause: unknown): void {
    reason ??= cause
  }

  return {
    isNoted: () => reason !== undefined,
    parts:
      onStoreDown === 'read-only'
        ? { ...parts, records: (store) => recalling(parts.records(store), note) }
        : parts,
    async tolerate(read) {
      try {
        await read()
      } catch (cause) {
        if (onStoreDown === 'error' || !isOutage(cause)) throw cause
        note(cause)
      }
    },
    check() {
      if (reason !== undefined) throw storeDown(reason)
    },
  }
}

/** Lets what cannot be read be read as this process remembers it. Fresh reads and changes fail as ever. */
function recalling(records: Records, onOutage: (cause: unknown) => void): Records {
  return {
    ...records,
    async read(key, options) {
      try {
        return await records.read(key, options)
      } catch (cause) {
        const known = options?.fresh || !isOutage(cause) ? undefined : records.recall(key)
        if (!known) throw cause
        onOutage(cause)
        return known
      }
    },
  }
}

/** Whether a call failed because of the store, and not because of us. */
function isOutage(cause: unknown): boolean {
  return cause instanceof BinsError && (cause.code === 'STORE_FAILED' || cause.code === 'STORE_TIMEOUT')
}
