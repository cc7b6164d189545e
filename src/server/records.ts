import { BinsError } from '../core/error.ts'
import { type OnEvent, report } from '../core/event.ts'
import { BARE_AGE, EMPTY_AGE, ERASED_AGE } from '../core/limits.ts'
import type { BinsRecord } from '../core/record.ts'
import { formatRecord, parseRecord } from '../core/record-text.ts'
import type { Store } from './store.ts'

/** What a change makes of a record. Without `next`, nothing is written. */
export interface Step<Result> {
  /** The record to keep. */
  readonly next?: BinsRecord
  /** What the caller of `change` gets. */
  readonly result: Result
}

/** The records in one store. */
export interface Records {
  /** Reads a record; `undefined` if there is none, or none that can be read. */
  read(key: string, options?: { fresh?: boolean }): Promise<BinsRecord | undefined>
  /**
   * Changes a record by compare-and-set, as often as it takes. Changes of one record that wait in this process are
   * written together.
   *
   * @param step Pure: it may run several times, each time on the record as it is by then.
   * @throws {@link BinsError} `CONFLICT` when others kept changing the record, `STORE_FAILED`; nothing was written.
   */
  change<Result>(key: string, step: (record: BinsRecord | undefined) => Step<Result>): Promise<Result>
}

/** Options of {@link openRecords}. */
export interface RecordsOptions {
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** How long a change may keep losing, in ms. */
  readonly casMs: number
  /** A number from 0 to 1, for the jitter between two tries. */
  readonly random: () => number
  /** Receives what is not for a visitor's eyes. */
  readonly onEvent?: OnEvent | undefined
}

interface Job {
  readonly step: (record: BinsRecord | undefined) => Step<unknown>
  readonly resolve: (result: unknown) => void
  readonly reject: (reason: unknown) => void
}

type Outcome = { readonly result: unknown } | { readonly error: unknown }

interface Read {
  readonly version: number
  readonly record: BinsRecord | undefined
  readonly isUnreadable?: boolean
}

/** Opens the records in a store. */
export function openRecords(store: Store, { clock, casMs, random, onEvent }: RecordsOptions): Records {
  const queues = new Map<string, Job[]>()

  async function load(key: string, fresh: boolean): Promise<Read> {
    const stored = await store.read(key, { now: clock(), fresh })
    if (!stored) return { version: 0, record: undefined }
    try {
      return { version: stored.version, record: parseRecord(stored.text) }
    } catch (cause) {
      report(onEvent, { type: 'unreadable-record', cause })
      return { version: stored.version, record: undefined, isUnreadable: true }
    }
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
      const { version, record, isUnreadable } = await load(key, attempt > 0)
      if (isUnreadable) {
        throw new BinsError('STORE_FAILED', 'A record in the store cannot be read; it was left as it is.')
      }
      const { after, outcomes } = runSteps(batch, record)
      if (after === record || after === undefined) return outcomes
      const now = clock()
      const next = {
        version: Math.max(version + 1, now),
        text: formatRecord(after),
        expires: expiresOf(after, now),
      }
      if (await store.write(key, next, version, now)) return outcomes
      if (clock() >= deadline) {
        throw new BinsError('CONFLICT', `Others kept changing the record for ${casMs} ms; try again.`)
      }
      await pause(random() * Math.min(2 ** attempt, 64))
    }
  }

  return {
    async read(key, { fresh = false } = {}) {
      try {
        return (await load(key, fresh)).record
      } catch (cause) {
        throw toStoreError(cause, onEvent)
      }
    },

    change<Result>(key: string, step: (record: BinsRecord | undefined) => Step<Result>): Promise<Result> {
      return new Promise<Result>((resolve, reject) => {
        // The queue is untyped; a job's result is what its own step returned.
        const job: Job = { step, resolve: resolve as Job['resolve'], reject }
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

/** The latest time at which a bin of the record is live; 0 if none is. */
export function liveUntil(record: BinsRecord, now: number): number {
  let until = 0
  for (const row of record.bins.values()) {
    if (row.text !== undefined && row.expires > now) until = Math.max(until, row.expires)
  }
  return until
}

function expiresOf(record: BinsRecord, now: number): number {
  if (record.erased !== undefined) return record.erased + ERASED_AGE
  if (record.bins.size === 0) return now + BARE_AGE
  return Math.max(liveUntil(record, now), now + EMPTY_AGE)
}

function toStoreError(cause: unknown, onEvent: OnEvent | undefined): BinsError {
  if (cause instanceof BinsError && cause.code === 'CONFLICT') return cause
  report(onEvent, { type: 'store-failed', cause })
  if (cause instanceof BinsError) return cause
  return new BinsError('STORE_FAILED', 'The store could not read or write; see the cause.', { cause })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
