import 'fake-indexeddb/auto'

/** Where IndexedDB can fail: each step of one transaction. */
export const STEPS = ['open', 'transaction', 'read', 'write', 'commit'] as const

/** A step of a transaction. */
export type Step = (typeof STEPS)[number]

/** IndexedDB that fails. */
export interface Broken {
  /** How often it has failed. */
  readonly failures: number
  /** Lets it work again. */
  mend(): void
}

/**
 * Lets IndexedDB fail at a step, as browsers do: `transaction` and `put` throw, all else fails later, with an event.
 *
 * @param times How often. Default: until it is mended.
 */
export function breakIndexedDb(step: Step, failure: DOMException, times = Infinity): Broken {
  let failures = 0
  const isDue = () => {
    if (failures >= times) return false
    failures += 1
    return true
  }
  const mend = PATCHES[step](isDue, failure)
  return {
    get failures() {
      return failures
    },
    mend,
  }
}

type Patch = (isDue: () => boolean, failure: DOMException) => () => void

const PATCHES: Record<Step, Patch> = {
  open(isDue, failure) {
    const { open } = IDBFactory.prototype
    let count = 0
    return patch(IDBFactory.prototype, 'open', function (this: IDBFactory, name, version) {
      if (!isDue()) return open.call(this, name, version)
      count += 1
      const request = open.call(this, `broken-${count}`, version)
      failWith(request, failure)
      request.addEventListener('upgradeneeded', () => request.transaction?.abort())
      return request
    })
  },

  transaction(isDue, failure) {
    const { transaction } = IDBDatabase.prototype
    return patch(IDBDatabase.prototype, 'transaction', function (this: IDBDatabase, ...how) {
      // The library begins the one in which a database is made in the same way.
      if (String(how[1]) !== 'versionchange' && isDue()) throw failure
      return transaction.apply(this, how)
    })
  },

  read(isDue, failure) {
    const { getAllKeys } = IDBObjectStore.prototype
    return patch(IDBObjectStore.prototype, 'getAllKeys', function (this: IDBObjectStore, ...what) {
      const request = getAllKeys.apply(this, what)
      if (isDue()) {
        for (const target of [request, this.transaction]) failWith(target, failure)
        queueMicrotask(() => this.transaction.abort())
      }
      return request
    })
  },

  write(isDue, failure) {
    const { put } = IDBObjectStore.prototype
    return patch(IDBObjectStore.prototype, 'put', function (this: IDBObjectStore, ...what) {
      if (isDue()) throw failure
      return put.apply(this, what)
    })
  },

  commit(isDue, failure) {
    const { commit } = IDBTransaction.prototype
    return patch(IDBTransaction.prototype, 'commit', function (this: IDBTransaction) {
      if (!isDue()) return commit.call(this)
      failWith(this, failure)
      this.abort()
    })
  },
}

function patch<Target extends object, Name extends keyof Target>(
  prototype: Target,
  name: Name,
  method: Target[Name],
): () => void {
  const before = prototype[name]
  prototype[name] = method
  return () => {
    prototype[name] = before
  }
}

function failWith(target: IDBRequest | IDBTransaction, failure: DOMException): void {
  Object.defineProperty(target, 'error', { configurable: true, get: () => failure, set() {} })
}

/** Tells which connections are open. */
export function watchConnections(): { readonly open: ReadonlySet<IDBDatabase>; end(): void } {
  const all = new Set<IDBDatabase>()
  const { open } = IDBFactory.prototype
  const { close } = IDBDatabase.prototype
  const undoOpen = patch(IDBFactory.prototype, 'open', function (this: IDBFactory, ...what) {
    const request = open.apply(this, what)
    request.addEventListener('success', () => all.add(request.result))
    return request
  })
  const undoClose = patch(IDBDatabase.prototype, 'close', function (this: IDBDatabase) {
    all.delete(this)
    return close.call(this)
  })
  return {
    open: all,
    end() {
      undoOpen()
      undoClose()
    },
  }
}
