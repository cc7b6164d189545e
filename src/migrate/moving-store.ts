import type { Store, Stored } from '../stores/store.ts'
import { countedOf, isMoved, type Move, markMoved } from './mark.ts'
import { moveEntry } from './move-entry.ts'
import { deleteMoved, writeMoved } from './moved-entry.ts'

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
  // Where there is one mark, all processes know what it says: a process that has seen it may leave more.
  let knowsMarks = move
  const hasMoved = (old: Stored) => {
    if (!isMoved(old)) return false
    knowsMarks = true
    return true
  }

  return {
    durable: from.durable && to.durable,

    async read(key, options) {
      const old = await from.read(key, options)
      if (old && !hasMoved(old)) return old
      const found = await to.read(key, options)
      // Asked again: what was found may be a late copy of what was deleted since the mark was read.
      return countedOf(found, old && found ? await from.read(key, options) : old)
    },

    async write(key, next, expected, now) {
      for (;;) {
        const old = await from.read(key, { now, fresh: true })
        if (old && hasMoved(old)) {
          const isWritten = await writeMoved(stores, key, { next, expected, now, mark: old })
          if (isWritten !== undefined) return isWritten
          continue
        }
        if (!old && (!move || expected > 0)) {
          const found = await to.read(key, { now, fresh: true })
          if (countedOf(found, undefined)) return to.write(key, next, expected, now)
          // Left by a move in the other direction.
          if (found) await to.delete(key, found.version)
          return from.write(key, next, expected, now)
        }
        if (!move) return from.write(key, next, expected, now)
        // Claimed, so that nobody who does not move entries yet begins the same one in the old store.
        await (old ? moveEntry(stores, key, now) : markMoved(stores, key, next, { expected: 0, now }))
      }
    },

    async delete(key, expected) {
      for (;;) {
        // What has expired may be deleted too.
        const old = await from.read(key, { now: 0, fresh: true })
        if (old && hasMoved(old)) {
          const isDeleted = await deleteMoved(stores, key, old, expected)
          if (isDeleted !== undefined) return isDeleted
          continue
        }
        const copy = await to.read(key, { now: 0, fresh: true })
        if (!old) return countedOf(copy, undefined) ? to.delete(key, expected) : false
        if (expected !== undefined && old.version !== expected) return false
        // An older copy, which nobody asks for while the old store has the entry, would come back.
        if (copy && copy.version < old.version) await to.delete(key, copy.version)
        const since = old.version + 1
        const isDeleted = knowsMarks
          ? await markMoved(stores, key, old, { since, expected: old.version, now: 0 })
          : await from.delete(key, old.version)
        if (!isDeleted) continue
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
