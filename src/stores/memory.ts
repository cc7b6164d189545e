import { BinsError } from '../core/error.ts'
import { checkWrite } from './shared/check-write.ts'
import { LOOKS_PER_DELETION } from './shared/sweep-looks.ts'
import type { Store, Stored } from './store.ts'

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /**
   * Most bytes of all entries together; beyond it the least recently used ones go. Counted at two bytes for a UTF-16
   * code unit and 360 for an entry, which is more than V8 takes. Default 64 MiB.
   */
  readonly maxBytes?: number
}

interface Entry extends Stored {
  /** Rises with every use, so that a scan knows where it was. */
  readonly order: number
}

/** What an entry costs V8 besides the characters of its strings: 310 to 355 bytes, measured on Node 24. */
const ENTRY_BYTES = 360

/**
 * Keeps records in this process: for development, tests and caches. All is gone when the process ends, the least
 * recently used when `maxBytes` is reached, and other processes see nothing of it.
 *
 * @throws TypeError if `maxBytes` is not above 0. `write` rejects with {@link BinsError} `TOO_LARGE` what alone is
 * over it.
 */
export function memoryStore({ maxBytes = 64 * 1_024 ** 2 }: MemoryStoreOptions = {}): Store {
  if (!(maxBytes > 0)) throw new TypeError(`maxBytes: ${maxBytes} must be above 0.`)
  // A Map iterates in the order of insertion and every use inserts anew: the first is the least recently used.
  const entries = new Map<string, Entry>()
  let bytes = 0
  let lastOrder = 0
  /** All keys, those first that a sweep has not looked at for longest. */
  const unswept = new Set<string>()
  let isOpen = true

  function assertOpen(): void {
    if (!isOpen) throw new BinsError('CLOSED', 'The memory store was closed.')
  }

  function remove(key: string): boolean {
    const entry = entries.get(key)
    if (!entry) return false
    bytes -= sizeOf(key, entry)
    unswept.delete(key)
    return entries.delete(key)
  }

  function put(key: string, { version, text, expires }: Stored): void {
    const former = entries.get(key)
    if (former) {
      bytes -= sizeOf(key, former)
      entries.delete(key)
    } else {
      unswept.add(key)
    }
    lastOrder += 1
    const entry = { version, text, expires, order: lastOrder }
    entries.set(key, entry)
    bytes += sizeOf(key, entry)
  }

  function evict(): void {
    for (const key of entries.keys()) {
      if (bytes <= maxBytes) return
      remove(key)
    }
  }

  return {
    durable: false,

    async read(key, { now }) {
      assertOpen()
      const entry = entries.get(key)
      if (!entry || entry.expires <= now) return undefined
      put(key, entry)
      return toStored(entry)
    },

    async write(key, next, expected, now) {
      assertOpen()
      checkWrite(key, next, expected, now)
      const size = sizeOf(key, next)
      if (size > maxBytes) {
        throw new BinsError(
          'TOO_LARGE',
          `An entry of ${size} bytes is over the store's maxBytes, ${maxBytes}.`,
        )
      }
      const entry = entries.get(key)
      const version = entry && entry.expires > now ? entry.version : 0
      if (version !== expected) return false
      put(key, next)
      evict()
      return true
    },

    async delete(key, expected) {
      assertOpen()
      if (expected !== undefined && entries.get(key)?.version !== expected) return false
      return remove(key)
    },

    async sweep(now, limit) {
      assertOpen()
      let swept = 0
      let looks = Math.min(unswept.size, limit * LOOKS_PER_DELETION)
      // What it meets moves to the end, and may be met again there.
      for (const key of unswept) {
        if (looks === 0 || swept >= limit) break
        looks -= 1
        unswept.delete(key)
        unswept.add(key)
        const entry = entries.get(key)
        if (entry && entry.expires <= now && remove(key)) swept += 1
      }
      return swept
    },

    async versions(keys, now) {
      assertOpen()
      const versions = new Map<string, number>()
      for (const key of keys) {
        const entry = entries.get(key)
        if (entry && entry.expires > now) versions.set(key, entry.version)
      }
      return versions
    },

    async scan(cursor, limit) {
      assertOpen()
      const after = Number(cursor ?? 0)
      const page: Array<[string, Stored]> = []
      let last = after
      for (const [key, entry] of entries) {
        if (entry.order <= after) continue
        if (page.length >= limit) return { entries: page, cursor: String(last) }
        page.push([key, toStored(entry)])
        last = entry.order
      }
      return { entries: page }
    },

    async close() {
      isOpen = false
      entries.clear()
      unswept.clear()
    },
  }
}

function sizeOf(key: string, { text }: Stored): number {
  return 2 * (key.length + text.length) + ENTRY_BYTES
}

function toStored({ version, text, expires }: Stored): Stored {
  return { version, text, expires }
}
