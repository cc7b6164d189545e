import { BinsError } from '../../core/error.ts'

/** Keeps failures of a cache from those who ask it. */
export interface Guard {
  /** Asks it, unless it has failed a moment ago; `'failed'` if it fails or takes too long. */
  ask<Result>(call: () => Promise<Result>): Promise<Result | 'failed'>
  /** Tells it something that it should not miss, even if it has failed a moment ago. */
  tell(call: () => Promise<unknown>): Promise<void>
}

/** How long a cache that has failed is not asked, in ms. */
const PAUSE_MS = 1_000

/** Opens the guard of a cache that may take some ms to answer. */
export function openGuard(timeoutMs: number): Guard {
  let pausedUntil = 0

  async function attempt<Result>(call: () => Promise<Result>): Promise<Result | 'failed'> {
    try {
      return await inTime(call(), timeoutMs)
    } catch (error) {
      // A cache may fail in any way: what it holds is elsewhere too. One that refuses a long text has not failed.
      const isRefusal = error instanceof BinsError && error.code === 'TOO_LARGE'
      if (!isRefusal) pausedUntil = performance.now() + PAUSE_MS
      return 'failed'
    }
  }

  return {
    ask: async (call) => (performance.now() < pausedUntil ? 'failed' : attempt(call)),
    async tell(call) {
      await attempt(call)
    },
  }
}

async function inTime<Result>(call: Promise<Result>, ms: number): Promise<Result> {
  let stop = () => {}
  const timeout = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`The cache did not answer within ${ms} ms.`)), ms)
    stop = () => clearTimeout(timer)
  })
  try {
    return await Promise.race([call, timeout])
  } finally {
    stop()
  }
}
