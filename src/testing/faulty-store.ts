import { BinsError } from '../core/error.ts'
import type { Store } from '../stores/store.ts'

/** Options of {@link faultyStore}. */
export interface FaultyStoreOptions {
  /** Which call fails, from 1 on, `close` not counted. Left out: none, the calls are only counted. */
  readonly failOn?: number
  /**
   * `'request'`: the call never reaches the store. `'answer'`: the store does what it was asked, and the answer is
   * lost. Default `'request'`.
   */
  readonly lost?: 'request' | 'answer'
  /** What the call is rejected with. Default a `BinsError` `STORE_FAILED`. */
  readonly error?: unknown
  /** Which call waits for `until`, from 1 on, `close` not counted. Left out: none. */
  readonly delayOn?: number
  /** What the delayed call waits for. */
  readonly until?: PromiseLike<unknown>
  /**
   * `'request'`: the delayed call reaches the store when the wait is over. `'answer'`: it reaches the store at once, and
   * the answer comes when the wait is over. Default `'request'`.
   */
  readonly held?: 'request' | 'answer'
}

/** A store one call of which fails, or takes its time. */
export interface FaultyStore extends Store {
  /** The methods called so far, in order, `close` not counted. */
  readonly calls: readonly string[]
}

/**
 * Wraps a store so that its n-th call fails, or is delayed. Run a scenario with `failOn` 1, 2, 3… until it makes fewer
 * calls, and every way in which the store can fail it has been seen.
 */
export function faultyStore(store: Store, options: FaultyStoreOptions = {}): FaultyStore {
  const {
    failOn,
    lost = 'request',
    error = new BinsError('STORE_FAILED', 'faultyStore: as asked.'),
    delayOn,
    until,
    held = 'request',
  } = options
  const calls: string[] = []

  async function call<Result>(method: string, run: () => Promise<Result>): Promise<Result> {
    const count = calls.push(method)
    if (count === delayOn && held === 'request') await until
    if (count === failOn && lost === 'request') throw error
    const result = await run()
    if (count === delayOn) await until
    if (count === failOn) throw error
    return result
  }

  const { versions, scan, close } = store
  return {
    calls,
    durable: store.durable,
    read: (key, options) => call('read', () => store.read(key, options)),
    write: (key, next, expected, now) => call('write', () => store.write(key, next, expected, now)),
    delete: (key, expected) => call('delete', () => store.delete(key, expected)),
    sweep: (now, limit) => call('sweep', () => store.sweep(now, limit)),
    ...(versions && { versions: (keys, now) => call('versions', () => versions.call(store, keys, now)) }),
    ...(scan && { scan: (cursor, limit) => call('scan', () => scan.call(store, cursor, limit)) }),
    ...(close && { close: () => close.call(store) }),
  }
}
