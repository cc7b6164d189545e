import { randomInt } from 'node:crypto'
import { type Guard, openGuard } from './layered/circuit-breaker.ts'
import { formatEntry, parseEntry } from './shared/entry-text.ts'
import type { Store, Stored } from './store.ts'

/** Options of {@link layeredStore}. */
export interface LayeredStoreOptions {
  /**
   * How long the front may answer what the back no longer says, in ms, where the front could not be told: it was down,
   * the process ended in between, or the front is this process's memory and another process wrote. It also delays
   * revocation by as much. Default 10,000.
   */
  readonly maxAgeMs?: number
  /** How long the front may take to answer, in ms; then it is passed over, and not asked for a second. Default 200. */
  readonly frontMs?: number
}

/** How long the right to fill the front is good for, in ms. */
const LEASE_MS = 10_000

/**
 * Puts a cache before a durable store: `memoryStore`, `redisStore` or `memcachedStore` before any other. All is in the
 * back; the front holds copies, which are made when they are read and dropped when they are written. So the front may
 * evict, forget or be down, and nothing is lost.
 *
 * Who fills the front takes a lease in it first, and only then reads the back. A write or a deletion drops the lease with
 * the rest: a copy of what was there before it comes too late. (R. Nishtala et al., "Scaling Memcache at Facebook",
 * NSDI 2013, §3.2.1)
 *
 * `fresh` reads, writes, `versions` and `scan` ask the back. Closing it closes both.
 *
 * @param front A cache. Must have no other use.
 * @param back Where the records are.
 */
export function layeredStore(
  front: Store,
  back: Store,
  { maxAgeMs = 10_000, frontMs = 200 }: LayeredStoreOptions = {},
): Store {
  const guard = openGuard(frontMs)
  const { versions, scan } = back

  async function fill(key: string, now: number): Promise<Stored | undefined> {
    const lease = await takeLease(front, guard, key, now)
    const stored = await back.read(key, { now, fresh: true })
    if (lease === undefined) return stored
    if (stored) {
      const copy = {
        version: lease + 1,
        text: formatEntry(stored),
        expires: Math.min(stored.expires, now + maxAgeMs),
      }
      await guard.ask(() => front.write(key, copy, lease, now))
    } else {
      await guard.ask(() => front.delete(key, lease))
    }
    return stored
  }

  return {
    durable: back.durable,

    async read(key, { now, fresh = false }) {
      if (fresh) return back.read(key, { now, fresh })
      const found = await guard.ask(() => front.read(key, { now }))
      if (found === 'failed') return back.read(key, { now })
      const stored = found && parseEntry(found.text)
      if (stored && stored.expires > now) return stored
      // A lease: somebody else is about to fill it.
      return found ? back.read(key, { now }) : fill(key, now)
    },

    async write(key, next, expected, now) {
      try {
        return await back.write(key, next, expected, now)
      } finally {
        // Also when it was lost: the writer went by a copy that is out of date. And when there was no answer.
        await guard.tell(() => front.delete(key))
      }
    },

    async delete(key, expected) {
      try {
        return await back.delete(key, expected)
      } finally {
        await guard.tell(() => front.delete(key))
      }
    },

    async sweep(now, limit) {
      await guard.ask(() => front.sweep(now, limit))
      return back.sweep(now, limit)
    },

    ...(versions && { versions: (keys, now) => versions.call(back, keys, now) }),
    ...(scan && { scan: (cursor, limit) => scan.call(back, cursor, limit) }),

    async close() {
      await Promise.all([front.close?.(), back.close?.()])
    },
  }
}

/** The version of a lease that nobody else has; `undefined` if there is something in the front, or no answer. */
async function takeLease(front: Store, guard: Guard, key: string, now: number): Promise<number | undefined> {
  const version = randomInt(1, 2 ** 48 - 1)
  const lease = { version, text: '', expires: now + LEASE_MS }
  return (await guard.ask(() => front.write(key, lease, 0, now))) === true ? version : undefined
}
