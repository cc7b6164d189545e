import { type OnEvent, report } from '../../core/event.ts'
import type { Store } from '../../stores/store.ts'

/** Deletes the expired records of one store, a few at a time. */
export interface Sweeper {
  /** Is told of each write; now and then it sweeps. Never waits, never throws. */
  written(): void
  /** Waits for a sweep that is under way. */
  close(): Promise<void>
}

/** Options of {@link openSweeper}. */
export interface SweeperOptions {
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** Receives what is not for a visitor's eyes. */
  readonly onEvent?: OnEvent | undefined
}

/** A sweep follows every so many writes. */
const WRITES = 50

/**
 * Most records that one sweep deletes: more than so many writes can create, so that none is left behind in the long run,
 * and few enough for no store to be busy for more than some ms.
 */
const LIMIT = 100

/**
 * Opens the sweeper of a store. Only a write can leave something to sweep, so it needs no timer: writes are counted, from
 * another number on in each process. As long as a sweep finds more than it may delete, the next write starts another.
 */
export function openSweeper(store: Store, { clock, onEvent }: SweeperOptions): Sweeper {
  let writesLeft = WRITES + (clock() % WRITES)
  let sweeping: Promise<void> | undefined
  let isOpen = true

  async function sweep(): Promise<void> {
    writesLeft = WRITES
    try {
      const swept = await store.sweep(clock(), LIMIT)
      if (swept >= LIMIT) writesLeft = 1
    } catch (cause) {
      report(onEvent, { type: 'store-failed', cause })
    }
    sweeping = undefined
  }

  return {
    written() {
      writesLeft -= 1
      if (isOpen && writesLeft <= 0 && !sweeping) sweeping = sweep()
    },

    async close() {
      isOpen = false
      await sweeping
    },
  }
}
