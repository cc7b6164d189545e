import { checkWrite } from '../core/check-write.ts'
import { BinsError } from '../core/error.ts'
import type { Store } from '../server/store.ts'
import { openEnvironment } from './lmdb/environment.ts'
import { openTables } from './lmdb/tables.ts'

/** Options of {@link lmdbStore}. */
export interface LmdbStoreOptions {
  /** Name of the database in the directory; that of its index ends in `_expires`. Default `'breadbin'`. */
  readonly name?: string
}

/**
 * Keeps records in LMDB: a file that all processes of one machine map into their memory. Reads are as fast as from memory;
 * what is written at one moment is committed together. What was written is on the disk, and survives `kill -9` and a power
 * failure.
 *
 * @param directory Made for this user alone, on a local file system. Stores of one process may share it, but not its
 * worker threads, nor programs that open it in another way.
 * @throws TypeError if `lmdb` is not installed.
 */
export function lmdbStore(directory: string, { name = 'breadbin' }: LmdbStoreOptions = {}): Store {
  const environment = openEnvironment(directory)
  const tables = openTables(environment, name)
  let isOpen = true

  function assertOpen(): void {
    if (!isOpen) throw new BinsError('CLOSED', 'The LMDB store was closed.')
  }

  /** What was read last is seen for the rest of this turn of the event loop, unless it is asked anew. */
  function refresh(): void {
    assertOpen()
    environment.refresh()
  }

  return {
    durable: true,

    async read(key, { now }) {
      refresh()
      const stored = tables.get(key)
      return stored && stored.expires > now ? stored : undefined
    },

    async write(key, next, expected, now) {
      assertOpen()
      checkWrite(key, next, expected, now)
      const { version, text, expires } = next
      return environment.commit(() => {
        const stored = tables.get(key)
        if ((stored && stored.expires > now ? stored.version : 0) !== expected) return false
        tables.put(key, { version, text, expires })
        return true
      })
    },

    async delete(key, expected) {
      assertOpen()
      return environment.commit(() => {
        if (expected !== undefined && tables.get(key)?.version !== expected) return false
        return tables.remove(key)
      })
    },

    async sweep(now, limit) {
      assertOpen()
      environment.dismissReaders()
      return environment.commit(() => tables.expired(now, limit).filter(tables.remove).length)
    },

    async versions(keys, now) {
      refresh()
      const versions = new Map<string, number>()
      for (const key of keys) {
        const stored = tables.get(key)
        if (stored && stored.expires > now) versions.set(key, stored.version)
      }
      return versions
    },

    async scan(cursor, limit) {
      refresh()
      const entries = tables.after(cursor ?? '', limit)
      const last = entries.at(-1)
      return last && entries.length === limit ? { entries, cursor: last[0] } : { entries }
    },

    async close() {
      if (!isOpen) return
      isOpen = false
      await environment.close()
    },
  }
}
