import type { Store } from '../store.ts'
import { isMoved, type Move, markMoved, moveEntry } from './transfer.ts'

/** Options of {@link movingStore}. */
export interface MovingStoreOptions {
  /** Whether entries move when they are written, and new ones begin in the new store. Default `false`. */
  readonly move?: boolean
}

/**
 * Serves a site while its records move from one store to another; see {@link migrate}. An entry is read and written
 * where it is: in the old store, until that says that it has moved, and in the new one from then on.
 *
 * It has no `scan`, and no `versions`: a version alone does not tell an entry from what is left of one that has moved. So
 * the server reads the records of the pages that it tells of changes, every 30 s or so. Closing it closes both stores.
 *
 * @param from The old store.
 * @param to The new store.
 */
export function movingStore(from: Store, to: Store, { move = false }: MovingStoreOptions = {}): Store {
  const stores: Move = { from, to }

  return {
    durable: from.durable && to.durable,

    async read(key, options) {
      const old = await from.read(key, options)
      return old && !isMoved(old) ? old : to.read(key, options)
    },

    async write(key, next, expected, now) {
      const old = await from.read(key, { now, fresh: true })
      if (old && isMoved(old)) return to.write(key, next, expected, now)
      if (!move) {
        const isInNew = !old && (await to.read(key, { now, fresh: true }))
        return (isInNew ? to : from).write(key, next, expected, now)
      }
      // Claimed, so that nobody who does not move entries yet begins the same one in the old store.
      const isClaimed = !old && (expected > 0 || (await markMoved(stores, key, next, 0, now)))
      if (!isClaimed) await moveEntry(stores, key, now)
      return to.write(key, next, expected, now)
    },

    async delete(key, expected) {
      for (;;) {
        // What has expired may be deleted too.
        const old = await from.read(key, { now: 0, fresh: true })
        if (!old || isMoved(old)) return to.delete(key, expected)
        if (expected !== undefined && old.version !== expected) return false
        if (!(await from.delete(key, old.version))) continue
        // Left by somebody who was about to move it.
        await to.delete(key, old.version)
        return true
      }
    },

    async sweep(now, limit) {
      const swept = await from.sweep(now, limit)
      // What is swept of the old store then is mostly marks, and no entries.
      return move ? to.sweep(now, limit) : swept + (await to.sweep(now, limit - swept))
    },

    async close() {
      await Promise.all([from.close?.(), to.close?.()])
    },
  }
}
