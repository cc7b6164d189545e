import { promisifyRequest } from 'idb-keyval'
import type { Rows } from './rows.ts'

/** Options of {@link deviceRows}. */
export interface DeviceRowsOptions {
  /** Name of the database. */
  readonly name: string
  /**
   * How long one transaction may take, in ms, before it is given up: a frozen tab with an open one would block this tab
   * for ever. Only one that is being committed goes on: nobody can tell what becomes of it.
   */
  readonly deadlineMs: number
}

const TABLE = 'rows'

/**
 * Keeps rows in IndexedDB: one database with one object store, at version 1 for ever, so that no tab ever waits for
 * another to upgrade. Transactions are short, and nothing but IndexedDB is waited for inside them.
 */
export function deviceRows({ name, deadlineMs }: DeviceRowsOptions): Rows {
  let opening: Promise<IDBDatabase> | undefined

  function open(): Promise<IDBDatabase> {
    opening ??= openDatabase(name).then((database) => {
      const forget = () => {
        opening = undefined
      }
      // iOS closes databases of pages in the background (idb-keyval#165); a deletion elsewhere must not wait for us.
      database.onclose = forget
      database.onversionchange = () => {
        database.close()
        forget()
      }
      return database
    })
    opening.catch(() => {
      opening = undefined
    })
    return opening
  }

  /** Works in a transaction on the table, or not at all: what comes too late must not be kept behind the caller's back. */
  function onTable<Result>(
    mode: IDBTransactionMode,
    work: (table: IDBObjectStore) => Promise<Result>,
  ): Promise<Result> {
    let isLate = false
    let transaction: IDBTransaction | undefined
    const begin = async () => {
      const database = await open()
      if (isLate) throw new Error('IndexedDB has opened too late.')
      transaction = database.transaction(TABLE, mode)
      return work(transaction.objectStore(TABLE))
    }
    const cancel = () => {
      isLate = true
      transaction?.abort()
    }
    return withDeadline(begin(), { ms: deadlineMs, cancel })
  }

  /** Tries again once with a new connection: the old one may have been closed under us. */
  async function attempt<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      if (!isClosed(error)) throw error
      opening = undefined
      return work()
    }
  }

  return {
    load: (prefix) =>
      attempt(() =>
        onTable('readonly', async (table) => {
          const range = rangeOf(prefix)
          const [keys, values] = await Promise.all([
            promisifyRequest(table.getAllKeys(range)),
            promisifyRequest(table.getAll(range)),
          ])
          return toMap(keys, values)
        }),
      ),

    change: (prefix, step) =>
      attempt(() =>
        onTable('readwrite', async (table) => {
          const range = rangeOf(prefix)
          // Success is the transaction's `complete`: a full disk aborts it after every request has succeeded.
          const kept = promisifyRequest(table.transaction)
          kept.catch(() => {})
          const [keys, values] = await Promise.all([
            promisifyRequest(table.getAllKeys(range)),
            promisifyRequest(table.getAll(range)),
          ])
          const rows = toMap(keys, values)
          for (const [key, value] of step(new Map(rows))) {
            if (value === undefined) {
              rows.delete(key)
              table.delete(key)
            } else {
              rows.set(key, value)
              table.put(value, key)
            }
          }
          // Not all browsers have it; without it the transaction ends a little later by itself.
          table.transaction.commit?.()
          await kept
          return rows
        }),
      ),

    close() {
      const closing = opening
      opening = undefined
      closing?.then((database) => database.close()).catch(() => {})
    },
  }
}

function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(TABLE)
  return promisifyRequest(request)
}

/** All keys that begin with a prefix, whatever follows; every prefix ends with a slash, and `0` comes next to it. */
function rangeOf(prefix: string): IDBKeyRange | undefined {
  return prefix === '' ? undefined : IDBKeyRange.bound(prefix, `${prefix.slice(0, -1)}0`, false, true)
}

function toMap(keys: readonly IDBValidKey[], values: readonly unknown[]): Map<string, unknown> {
  return new Map(keys.map((key, index) => [String(key), values[index]]))
}

function isClosed(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'InvalidStateError'
}

/** In how many steps a deadline passes: a page that was stopped for as long hears what has come meanwhile between two. */
const STEPS = 5

function withDeadline<Result>(
  work: Promise<Result>,
  { ms, cancel }: { ms: number; cancel: () => void },
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let steps = 0
    let timer = setTimeout(function step() {
      steps += 1
      if (steps < STEPS) {
        timer = setTimeout(step, ms / STEPS)
        return
      }
      try {
        cancel()
        reject(new Error(`IndexedDB did not answer within ${ms} ms.`))
      } catch {
        // It is being committed, which nothing can stop.
      }
    }, ms / STEPS)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
