import { expect, type it } from 'vitest'
import { type BinsRecord, createRecord } from '../../../src/core/sync/record.ts'
import { openRecords, type Records } from '../../../src/server/records/records.ts'
import type { Store } from '../../../src/stores/store.ts'
import type { Server } from '../servers/server.ts'

/** A store on a server of its own. */
export interface FailingStore {
  readonly server: Server
  readonly store: Store
  /** Ends both, and the client in between. */
  close(): Promise<void>
}

const STORE_MS = 500
const START = Date.UTC(2035, 0, 1)
const failure = { code: expect.stringMatching(/^STORE_(FAILED|TIMEOUT)$/) }

/**
 * What must be true of a store whose server fails. Rejections that nobody handles fail the run by themselves.
 *
 * @param options.survives Whether the server keeps what it has acknowledged when it is killed. Default `true`.
 * @param options.kills How often it is killed. Default 100.
 */
export function outageSuite(
  test: typeof it,
  open: () => Promise<FailingStore>,
  { survives = true, kills = 100 }: { survives?: boolean; kills?: number } = {},
): void {
  test('rejects in time while its server is down, and goes on when it is back', {
    timeout: 120_000,
  }, async () => {
    await using failing = await toDisposable(open)
    const { server } = failing
    await expectOutages(failing, { stop: server.halt, resume: server.start, survives })
  })

  test('rejects in time while its server is paused, and goes on when it runs', {
    timeout: 120_000,
  }, async () => {
    await using failing = await toDisposable(open)
    const { server } = failing
    await expectOutages(failing, { stop: server.pause, resume: server.resume, survives: true })
  })

  test('counts no change twice, and none that it did not make, while connections are lost', {
    timeout: 120_000,
  }, async () => {
    await using failing = await toDisposable(open)
    const { server, store } = failing
    const records = recordsOf(store)
    let [made, unknown] = [0, 0]
    const changing = Promise.all(
      Array.from({ length: 8 }, async (_, caller) => {
        for (let turn = 0; turn < 100; turn += 1) {
          try {
            await records.change(`key ${caller}`, count)
            made += 1
          } catch {
            unknown += 1
          }
        }
      }),
    )
    for (let round = 0; round < 5; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      await server.restart(survives ? 'SIGKILL' : 'SIGTERM')
    }
    await changing
    await timeToRecover(() => records.read('key 0'))
    let total = 0
    for (let caller = 0; caller < 8; caller += 1) total += (await records.change(`key ${caller}`, count)) - 1
    if (survives) expect(total).toBeGreaterThanOrEqual(made)
    expect(total).toBeLessThanOrEqual(made + unknown)
  })

  if (!survives) return
  test(`loses no acknowledged write when its server is killed ${kills} times`, {
    timeout: 600_000,
  }, async () => {
    await using failing = await toDisposable(open)
    const { server, store } = failing
    const records = recordsOf(store)
    const recoveries: number[] = []
    let acknowledged = await records.change('key', count)
    for (let kill = 0; kill < kills; kill += 1) {
      let isKilled = false
      const changing = (async () => {
        while (!isKilled) {
          acknowledged = Math.max(acknowledged, await records.change('key', count).catch(() => 0))
        }
      })()
      await new Promise((resolve) => setTimeout(resolve, kill))
      await server.restart('SIGKILL')
      isKilled = true
      await changing
      recoveries.push(await timeToRecover(() => records.read('key')))
      const kept = await records.read('key')
      expect(kept).toMatchObject({ cookieUntil: expect.any(Number) })
      // Just checked.
      expect((kept as BinsRecord).cookieUntil).toBeGreaterThanOrEqual(acknowledged)
    }
    expect(medianOf(recoveries)).toBeLessThan(1_000)
  })
}

/** Ends it also where a test fails. */
async function toDisposable(open: () => Promise<FailingStore>): Promise<FailingStore & AsyncDisposable> {
  const failing = await open()
  return { ...failing, [Symbol.asyncDispose]: () => failing.close() }
}

function recordsOf(store: Store): Records {
  return openRecords(store, { clock: () => START, casMs: 5_000, storeMs: STORE_MS, random: Math.random })
}

/** Adds 1 to the number that a record's `cookieUntil` is here. */
function count(record: BinsRecord | undefined): { next: BinsRecord; result: number } {
  const before = record ?? createRecord({ epoch: 'epoch', mark: 'mark', now: START })
  const cookieUntil = before.cookieUntil + 1
  return { next: { ...before, cookieUntil }, result: cookieUntil }
}

/** How a server goes and comes back. */
interface Outage {
  readonly stop: () => Promise<void>
  readonly resume: () => Promise<void> | void
  /** Whether it has then what it had. */
  readonly survives: boolean
}

/** Whatever else this machine is doing can only make a time longer: the best of three counts. */
async function expectOutages({ store }: FailingStore, { stop, resume, survives }: Outage): Promise<void> {
  const records = recordsOf(store)
  const failures: number[] = []
  const recoveries: number[] = []
  for (let round = 0; round < 3; round += 1) {
    const before = await records.change('key', count)
    await stop()
    const change = await timeToFail(() => records.change('key', count))
    const read = await timeToFail(() => records.read('key'))
    failures.push(Math.max(change, read))
    await resume()
    recoveries.push(await timeToRecover(() => records.read('key')))
    const after = await records.change('key', count)
    if (survives) expect(after).toBeGreaterThan(before)
  }
  // A write that fails asks the store once more.
  expect(Math.min(...failures)).toBeLessThan(3 * STORE_MS)
  expect(Math.min(...recoveries)).toBeLessThan(1_000)
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}

async function timeToFail(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await expect(call()).rejects.toMatchObject(failure)
  return performance.now() - start
}

async function timeToRecover(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  for (;;) {
    try {
      await call()
      return performance.now() - start
    } catch (error) {
      if (performance.now() - start > 20_000) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
