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

  /** Opens the database once for all transactions, until that connection fails. */
  function open(): Promise<IDBDatabase> {
    if (opening) return opening
    const own = openDatabase(name).then((database) => {
      // iOS closes databases of pages in the background (idb-keyval#165); a deletion elsewhere must not wait for us.
      database.onclose = () => drop(own)
      database.onversionchange = () => drop(own)
      return database
    })
    own.catch(() => drop(own))
    opening = own
    return own
  }

  /** Lets go of a connection: transactions on it end by themselves, and the next one opens another connection. */
  function drop(connection: Promise<IDBDatabase>): void {
    if (opening === connection) opening = undefined
    connection.then((database) => database.close()).catch(() => {})
  }

  /** Works in a transaction on the table, or not at all: what comes too late must not be kept behind the caller's back. */
  function onTable<Result>(
    connection: Promise<IDBDatabase>,
    mode: IDBTransactionMode,
    work: (table: IDBObjectStore) => Promise<Result>,
  ): Promise<Result> {
    let isLate = false
    let transaction: IDBTransaction | undefined
    const begin = async () => {
      const database = await connection
      if (isLate) throw new Error('IndexedDB has opened too late.')
      transaction = database.transaction(TABLE, mode)
      return work(transaction.objectStore(TABLE))
    }
    const cancel = () => {
      isLate = true
      transaction?.abort()
    }
    const working = begin()
    // What was asked for before something failed would be stored without the rest.
    working.catch(() => transaction?.abort()).catch(() => {})
    return withDeadline(working, { ms: deadlineMs, cancel })
  }

  /**
   * Tries again once with a new connection: WebKit drops connections with an `UnknownError`, others with an `AbortError` or
   * an `InvalidStateError`, and no list of names is complete.
   */
  async function attempt<Result>(
    mode: IDBTransactionMode,
    work: (table: IDBObjectStore) => Promise<Result>,
  ): Promise<Result> {
    const connection = open()
    try {
      return await onTable(connection, mode, work)
    } catch (error) {
      // A hang would only hang once more.
      if (error instanceof DeadlineError) throw error
      drop(connection)
      return onTable(open(), mode, work)
    }
  }

  return {
    load: (prefix) => attempt('readonly', (table) => readAll(table, prefix)),

    async change(prefix, step) {
      let refusal: { readonly cause: unknown } | undefined
      const after = await attempt('readwrite', async (table) => {
        refusal = undefined
        // Success is the transaction's `complete`: a full disk aborts it after every request has succeeded.
        const kept = promisifyRequest(table.transaction)
        // A request's error bubbles to here before the transaction has it; `abort` follows.
        table.transaction.onerror = null
        kept.catch(() => {})
        const rows = await readAll(table, prefix)
        let changes: ReturnType<typeof step>
        try {
          changes = step(new Map(rows))
        } catch (cause) {
          refusal = { cause }
          return rows
        }
        for (const [key, value] of changes) {
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
      })
      // What the caller's step throws is nothing of IndexedDB's.
      if (refusal) throw refusal.cause
      return after
    },

    close() {
      if (opening) drop(opening)
    },
  }
}

async function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(TABLE)
  return promisifyRequest(request)
}

/** All keys that begin with a prefix, whatever follows; every prefix ends with a slash, and `0` comes next to it. */
function rangeOf(prefix: string): IDBKeyRange | undefined {
  return prefix === '' ? undefined : IDBKeyRange.bound(prefix, `${prefix.slice(0, -1)}0`, false, true)
}

async function readAll(table: IDBObjectStore, prefix: string): Promise<Map<string, unknown>> {
  const range = rangeOf(prefix)
  const [keys, values] = await Promise.all([
    promisifyRequest(table.getAllKeys(range)),
    promisifyRequest(table.getAll(range)),
  ])
  return new Map(keys.map((key, index) => [String(key), values[index]]))
}

/** IndexedDB hangs. */
class DeadlineError extends Error {}

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
        reject(new DeadlineError(`IndexedDB did not answer within ${ms} ms.`))
      } catch {
        // It is being committed, which nothing can stop.
      }
    }, ms / STEPS)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
