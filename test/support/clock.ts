/**
 * Imports nothing, so that the same lines run in Node and in browsers.
 */

/** The present when a clock is opened: later than any real one, so that no browser takes a cookie for expired. */
export const START = Date.UTC(2035, 0, 1)

/** Lengths of time in ms. */
export const SECOND = 1_000
export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000

/** A clock that stands still until it is moved. */
export interface Clock {
  /** The present, in ms since the Unix epoch. */
  (): number
  /** Moves the present, forwards or backwards. */
  advance(ms: number): void
}

/** Opens a clock. */
export function openClock(start = START): Clock {
  let now = start
  return Object.assign(() => now, {
    advance(ms: number) {
      now += ms
    },
  })
}

/** A timer that was started and not stopped. */
export interface StartedTimer {
  /** After how many ms it is to call back. */
  readonly ms: number
  /** Calls back now. */
  fire(): void
}

/** Timers that call back when a test tells them to, and only then. */
export interface Timers {
  /** The `timer` option of `openBins`. */
  readonly start: (run: () => void, ms: number) => () => void
  /** Those that wait, in the order in which they were started. */
  readonly waiting: readonly StartedTimer[]
}

/** Opens timers. */
export function openTimers(): Timers {
  let waiting: StartedTimer[] = []
  return {
    start(run, ms) {
      const timer: StartedTimer = {
        ms,
        fire() {
          stop()
          run()
        },
      }
      const stop = () => {
        waiting = waiting.filter((other) => other !== timer)
      }
      waiting.push(timer)
      return stop
    },
    get waiting() {
      return waiting
    },
  }
}
