import { BinsError } from '../../core/error.ts'
import { report } from '../../core/event.ts'
import type { SyncProblem, SyncResult } from '../client-bins.ts'
import { PATIENCE_MS } from '../replica/replica.ts'
import { Refusal } from './endpoint.ts'
import { type ExchangeOptions, openExchange } from './exchange.ts'

/** The schedule of exchanges with the server. */
export interface Sync {
  /**
   * Exchanges now, whatever the schedule says.
   *
   * @throws {@link BinsError} `SYNC_FAILED`; the edits stay, and will be sent again.
   */
  now(): Promise<SyncResult>
  /** Exchanges soon. */
  soon(): void
  /** Exchanges in a while, if nothing else leads to it: other tabs that have left something to be sent may be gone. */
  later(): void
  /** Resolves when no exchange is running. */
  quiet(): Promise<void>
  /** Has the server erase the visitor, before anything else is sent; as soon as it can be reached. */
  clear(): Promise<void>
  /** Becomes the replica of the visitor that the cookies speak of: any response may have made one. */
  followOwner(): Promise<unknown>
  /** Sends what can be sent while the page goes away. */
  leave(): void
  /** Where the sync stands. */
  readonly phase: 'idle' | 'syncing' | 'waiting' | 'paused'
  /** What kept the last exchange from succeeding. */
  readonly problem: SyncProblem | undefined
  /** When the last exchange succeeded, in ms since the Unix epoch. */
  readonly lastSyncedAt: number | undefined
  /** Ends the schedule. */
  close(): void
}

/** Circumstances of {@link openSync}. */
export interface SyncOptions extends ExchangeOptions {
  /** Told after each change of phase or problem. */
  readonly onStatus: () => void
}

/** How long a burst of edits is collected, in ms. */
const SOON_MS = 50
/** How long another tab may be sending before this one does not wait for it any more, in ms. */
const LOCK_MS = 5_000
/** The first delay after a failure, in ms; it doubles each time. */
const FIRST_RETRY_MS = 1_000
/** The longest delay, in ms. */
const LAST_RETRY_MS = 60_000

/** Opens the sync of a replica. Sends nothing before it is asked. */
export function openSync(options: SyncOptions): Sync {
  const { page, replica, clearance, onEvent, onStatus } = options
  const { clock, random, timer } = page
  const exchange = openExchange(options)
  /** What became of edits, for each call that waits to be told. */
  const results = new Set<SyncResult>()
  let phase: Sync['phase'] = 'idle'
  let problem: SyncProblem | undefined
  let lastSyncedAt: number | undefined
  let failures = 0
  let running: Promise<void> | undefined
  let isWanted = false
  let isDue = false
  let isClosed = false
  let cancel = () => {}
  let letOthersIn = () => {}

  function moveTo(next: Sync['phase'], trouble = problem): void {
    phase = next
    problem = trouble
    onStatus()
  }

  function schedule(ms: number): void {
    cancel()
    isDue = !isClosed
    if (isDue) cancel = timer(() => void run(false).catch(() => {}), ms)
  }

  /** Of several tabs, one at a time sends what all of them have edited. */
  async function exchangeAlone(mustPull: boolean): Promise<void> {
    const patience = new AbortController()
    const stop = timer(() => patience.abort(), LOCK_MS)
    letOthersIn = () => patience.abort()
    try {
      await page.lock('sync', () => exchange.run({ mustPull, note }), patience.signal)
    } finally {
      stop()
    }
  }

  function note(bin: string, outcome: keyof SyncResult): void {
    for (const result of results) if (!result[outcome].includes(bin)) result[outcome].push(bin)
  }

  /** One exchange at a time; whoever asks meanwhile gets one more, with what was edited since. */
  function run(mustPull: boolean): Promise<void> {
    if (running) {
      isWanted = true
      return running
    }
    cancel()
    isDue = false
    moveTo('syncing')
    running = exchangeAlone(mustPull || failures > 0)
      .finally(() => {
        running = undefined
      })
      .then(succeeded, failed)
    return running
  }

  function succeeded(): void {
    failures = 0
    lastSyncedAt = clock()
    problem = undefined
    moveTo('idle')
    if (isWanted) schedule(SOON_MS)
    // What is left waits for the tab that made it.
    else if (replica.pending().count > 0) schedule(PATIENCE_MS)
    isWanted = false
  }

  function failed(cause: unknown): never {
    const refusal = cause instanceof Refusal ? cause : new Refusal('offline', { cause })
    report(onEvent, { type: 'sync-failed', cause: refusal.cause ?? refusal })
    // What was asked for meanwhile waits as long as the rest.
    isWanted = false
    cancel()
    // Trying again by itself changes nothing about who is logged in, or what the browser allows.
    const isPaused = refusal.problem === 'auth' || refusal.problem === 'cookies-blocked'
    if (!isPaused) {
      // Full jitter: after an outage, clients must not come back all at once.
      const ceiling = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS)
      failures += 1
      schedule(refusal.retryMs ?? random() * ceiling)
    }
    moveTo(isPaused ? 'paused' : 'waiting', refusal.problem)
    throw new BinsError(
      'SYNC_FAILED',
      `The bins could not be synced (${refusal.problem}); the edits are kept.`,
      { cause: refusal },
    )
  }

  async function quiet(): Promise<void> {
    await running?.catch(() => {})
  }

  /** After the exchange that is running, one with what was edited since; tells what became of edits in both. */
  async function now(): Promise<SyncResult> {
    const result: SyncResult = { accepted: [], merged: [], superseded: [], rejected: [] }
    results.add(result)
    try {
      await quiet()
      await run(true)
      return result
    } finally {
      results.delete(result)
    }
  }

  return {
    now,
    quiet,
    soon() {
      if (phase !== 'waiting' || failures === 0) schedule(SOON_MS)
    },
    later() {
      if (!isDue && !running && replica.pending().count > 0) schedule(PATIENCE_MS)
    },
    async clear() {
      const present = page.cookies.visitorTag()
      const cleared = replica.clear()
      const tag = present ?? replica.tag
      if (tag !== '') await clearance.set(tag, present === null ? 'done' : 'asked')
      await cleared
      await replica.leave(Number.NEGATIVE_INFINITY)
      if (present !== null) await now().catch(() => {})
    },
    followOwner: exchange.followOwner,
    leave() {
      // A page that holds a lock, or waits for one, is not kept for when its user comes back.
      letOthersIn()
      exchange.leave()
    },
    get phase() {
      return phase
    },
    get problem() {
      return problem
    },
    get lastSyncedAt() {
      return lastSyncedAt
    },
    close() {
      isClosed = true
      cancel()
    },
  }
}
