import assert from 'node:assert/strict'
import type { Store, Stored } from '../../stores/store.ts'

/** What the system behind a store cannot help. */
export interface StoreLimits {
  /** Steps in which the system counts expiry, in ms. An entry may go up to one step early, never late. Default 1. */
  readonly expiryStepMs: number
  /** How long after its expiry an entry may stay before a sweep deletes it, in ms. Default 0. */
  readonly sweepDelayMs: number
  /** Whether `sweep` deletes anything; `false` where the system does it itself. Default `true`. */
  readonly sweeps: boolean
  /** Longest text that the system takes, in bytes of UTF-8; more is `TOO_LARGE`. At least 64 KiB. Default no limit. */
  readonly maxTextBytes: number
}

/** What must be true of any store, by name. Each case gets an empty one. */
export type StoreCases = Readonly<Record<string, (store: Store, limits: StoreLimits) => Promise<void>>>

/** The present in all cases: later than any real one, so that a system with a clock of its own deletes nothing. */
export const NOW = Date.UTC(2035, 0, 1)

/** When the entries of most cases expire. */
export const LATER = NOW + 86_400_000

/** An entry that lives until {@link LATER}. */
export function entry(version: number, text = `text ${version}`, expires = LATER): Stored {
  return { version, text, expires }
}

/** Creates an entry that is not there. */
export async function create(store: Store, key: string, next: Stored): Promise<void> {
  assert.equal(await store.write(key, next, 0, NOW), true, `create ${JSON.stringify(key)}`)
}

/** Checks that an entry is there, bypassing caches. */
export async function assertKept(store: Store, key: string, expected: Stored, now = NOW): Promise<void> {
  assert.deepEqual(await store.read(key, { now, fresh: true }), expected, `read ${JSON.stringify(key)}`)
}

/** Checks that nothing is there, bypassing caches. */
export async function assertGone(store: Store, key: string, now = NOW): Promise<void> {
  assert.equal(await store.read(key, { now, fresh: true }), undefined, `read ${JSON.stringify(key)}`)
}

/** Adds 1 to a number, however often it takes. */
export async function increment(store: Store, key: string): Promise<void> {
  for (;;) {
    const stored = await store.read(key, { now: NOW, fresh: true })
    const version = stored?.version ?? 0
    if (await store.write(key, entry(version + 1, String(Number(stored?.text ?? 0) + 1)), version, NOW))
      return
  }
}

/** Counts the `true`s. */
export function countWon(results: readonly boolean[]): number {
  return results.filter(Boolean).length
}
