import { BinsError } from '../../core/error.ts'
import { type OnEvent, report } from '../../core/event.ts'
import type { BinsRecord } from '../../core/sync/record.ts'
import { parseRecord } from '../../core/sync/record-text.ts'
import type { Store, Stored } from '../../stores/store.ts'
import { unavailable, unreadableRecord } from '../errors.ts'
import { startHeldTimer, type Timer } from '../timer.ts'
import { openMemo } from './cache.ts'
import { toStored } from './stored.ts'

/** What a change makes of a record. Without `next`, nothing is written. */
export interface Step<Result> {
  /** The record to keep. */
  readonly next?: BinsRecord
  /** What the caller of `change` gets. */
  readonly result: Result
}

/** A record as it is in the store. */
export interface Found {
  /** Moves with every write; 0 = there is none. */
  readonly version: number
  /** What it says. */
  readonly record: BinsRecord | 'unreadable' | undefined
}

/** The records in one store. */
export interface Records {
  /**
   * Reads a record; `undefined` if there is none.
   *
   * @param options.fresh Bypasses every cache in between. Default `false`.
   * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`.
   */
  read(key: string, options?: { fresh?: boolean }): Promise<BinsRecord | 'unreadable' | undefined>
  /**
   * Changes a record by compare-and-set, as often as it takes. Changes of one record that wait in this process are
   * written together.
   *
   * @param step Pure: it may run several times, each time on the record as it is by then.
   * @param options.fresh Bypasses every cache in between, for a step that may write nothing. Default `false`.
   * @throws {@link BinsError} `CONFLICT` when others kept changing the record: nothing was written. `STORE_FAILED`,
   * `STORE_TIMEOUT`: as far as the store says, nothing was written.
   */
  change<Result>(
    key: string,
    step: (record: BinsRecord | undefined) => Step<Result>,
    options?: { fresh?: boolean },
  ): Promise<Result>
  /**
   * Reads a record past all caches, with its version.
   *
   * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`.
   */
  find(key: string): Promise<Found>
  /**
   * Versions of those records that are there; `undefined` if the store has not the power to tell.
   *
   * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`.
   */
  versions(keys: readonly string[]): Promise<ReadonlyMap<string, number> | undefined>
}

/** Options of {@link openRecords}. */
export interface RecordsOptions {
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** How long a change may keep losing, in ms. */
  readonly casMs: number
  /** How long the store may take to answer, in ms. */
  readonly storeMs: number
  /** A number from 0 to 1, for the jitter between two tries. */
  readonly random: () => number
  /** Calls back after some ms. Default `setTimeout`, which keeps the process running: somebody waits. */
  readonly timer?: Timer | undefined
  /** Is told of each record that was written. Must not throw. */
  readonly onWrite?: (key: string, version: number, record: BinsRecord) => void
  /** Receives what is not for a visitor's eyes. */
  readonly onEvent?: OnEvent | undefined
}

interface Job {
  readonly step: (record: BinsRecord | undefined) => Step<unknown>
  readonly fresh: boolean
  readonly resolve: (result: unknown) => void
  readonly reject: (reason: unknown) => void
}

type Outcome = { readonly result: unknown } | { readonly error: unknown }

/** All records are of one kind. */
const SCOPE = 'records'

/** Most bytes that the remembered records of one store may take. */
const MAX_PARSED_BYTES = 8 * 1_024 ** 2

/** Opens the records in a store. */
export function openRecords(store: Store, options: RecordsOptions): Records {
  const { clock, casMs, storeMs, random, timer = startHeldTimer, onWrite, onEvent } = options
  const queues = new Map<string, Job[]>()
  /** Records by key: most are read far more often than written. */
  const parsed = openMemo<{ text: string; record: BinsRecord | undefined }>(MAX_PARSED_BYTES)

  /** Waits for a call of the store, but not for ever. */
  function inTime<Result>(call: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      let isSettled = false
      let stop: (() => void) | undefined
      const settle = () => {
        isSettled = true
        stop?.()
      }
      call.finally(settle).then(resolve, reject)
      // A store in this process has answered by then: a timer would take longer than its answer.
      void Promise.resolve().then(() => {
        if (isSettled) return
        stop = timer(() => {
          reject(new BinsError('STORE_TIMEOUT', `The store did not answer within ${storeMs} ms.`))
        }, storeMs)
      })
    })
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => timer(resolve, ms))
  }

  async function load(key: string, fresh: boolean): Promise<Found> {
    const stored = await inTime(store.read(key, { now: clock(), fresh }))
    const known = parsed.get(SCOPE, key)
    if (!stored) {
      if (known) remember(key, '', undefined)
      return { version: 0, record: undefined }
    }
    const { version, text } = stored
    if (known?.record && known.text === text) return { version, record: known.record }
    try {
      const record = parseRecord(text)
      remember(key, text, record)
      return { version, record }
    } catch (cause) {
      report(onEvent, { type: 'unreadable-record', cause })
      return { version, record: 'unreadable' }
    }
  }

  function remember(key: string, text: string, record: BinsRecord | undefined): void {
    parsed.set(SCOPE, key, { text, record }, bytesOf(text))
  }

  async function work(key: string, jobs: Job[]): Promise<void> {
    while (jobs.length > 0) {
      const batch = jobs.splice(0)
      try {
        const outcomes = await changeOnce(key, batch)
        for (const [index, job] of batch.entries()) {
          // One outcome for each job, in their order.
          const outcome = outcomes[index] as Outcome
          if ('error' in outcome) job.reject(outcome.error)
          else job.resolve(outcome.result)
        }
      } catch (cause) {
        const error = toStoreError(cause, onEvent)
        for (const job of batch) job.reject(error)
      }
    }
    queues.delete(key)
  }

  async function changeOnce(key: string, batch: readonly Job[]): Promise<Outcome[]> {
    const deadline = clock() + casMs
    for (let attempt = 0; ; attempt += 1) {
      const { version, record } = await load(key, attempt > 0 || batch.some(({ fresh }) => fresh))
      if (record === 'unreadable') throw unreadableRecord()
      const { after, outcomes } = runSteps(batch, record)
      if (after === record || after === undefined) return outcomes
      const now = clock()
      const next = toStored(after, version, now)
      if (await write(key, next, version, now)) {
        remember(key, next.text, after)
        onWrite?.(key, next.version, after)
        return outcomes
      }
      if (clock() >= deadline) {
        throw unavailable(
          new BinsError('CONFLICT', `Others kept changing the record for ${casMs} ms; try again.`),
        )
      }
      await pause(random() * Math.min(2 ** attempt, 64))
    }
  }

  async function write(key: string, next: Stored, expected: number, now: number): Promise<boolean> {
    try {
      return await inTime(store.write(key, next, expected, now))
    } catch (cause) {
      if (await isKept(key, next)) return true
      throw cause
    }
  }

  /** A write without an answer has taken place or not: what is there now tells. */
  async function isKept(key: string, next: Stored): Promise<boolean> {
    try {
      const stored = await inTime(store.read(key, { now: clock(), fresh: true }))
      return stored?.version === next.version && stored.text === next.text
    } catch {
      // Still no answer; the failed write is what gets reported.
      return false
    }
  }

  async function find(key: string, fresh: boolean): Promise<Found> {
    try {
      return await load(key, fresh)
    } catch (cause) {
      throw toStoreError(cause, onEvent)
    }
  }

  return {
    async read(key, { fresh = false } = {}) {
      return (await find(key, fresh)).record
    },

    find: (key) => find(key, true),

    async versions(keys) {
      if (!store.versions) return undefined
      try {
        return await inTime(store.versions(keys, clock()))
      } catch (cause) {
        throw toStoreError(cause, onEvent)
      }
    },

    change<Result>(
      key: string,
      step: (record: BinsRecord | undefined) => Step<Result>,
      { fresh = false }: { fresh?: boolean } = {},
    ): Promise<Result> {
      return new Promise<Result>((resolve, reject) => {
        // The queue is untyped; a job's result is what its own step returned.
        const job: Job = { step, fresh, resolve: resolve as Job['resolve'], reject }
        const waiting = queues.get(key)
        if (waiting) {
          waiting.push(job)
          return
        }
        const jobs = [job]
        queues.set(key, jobs)
        void work(key, jobs)
      })
    },
  }
}

/** Bytes of a record with its text: Node 24 takes 3 for a character. */
function bytesOf(text: string): number {
  return 200 + 4 * text.length
}

/** Lets each step see what the steps before it have made; one that throws changes nothing. */
function runSteps(
  batch: readonly Job[],
  record: BinsRecord | undefined,
): { after: BinsRecord | undefined; outcomes: Outcome[] } {
  let after = record
  const outcomes: Outcome[] = []
  for (const { step } of batch) {
    try {
      const { next, result } = step(after)
      after = next ?? after
      outcomes.push({ result })
    } catch (error) {
      outcomes.push({ error })
    }
  }
  return { after, outcomes }
}

function toStoreError(cause: unknown, onEvent: OnEvent | undefined): BinsError {
  if (cause instanceof BinsError && cause.code === 'CONFLICT') return cause
  report(onEvent, { type: 'store-failed', cause })
  if (cause instanceof BinsError) return unavailable(cause)
  return unavailable(
    new BinsError('STORE_FAILED', 'The store could not read or write; see the cause.', { cause }),
  )
}
