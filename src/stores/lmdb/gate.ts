import { join } from 'node:path'
import { openLmdb } from './client.ts'

/**
 * Lets in one process at a time that opens an environment, writes to it or closes it. LMDB's own lock is not enough: while a
 * process opens an environment, lmdb 3.5.6 may forget what another one commits at that moment (LMDB ITS#9496).
 */
export interface Gate {
  /** Runs something when nobody else is in. Off the event loop, until then. */
  enter<Result>(run: () => Result): Promise<Result>
  /** Runs something when nobody else is in, and waits for that. */
  enterSync<Result>(run: () => Result): Result
  close(): Promise<void>
}

/** Opens the gate of a directory: the lock of an environment that nothing is written to. The system opens it for who dies. */
export function openGate(directory: string): Gate {
  const lmdb = openLmdb(join(directory, 'gate'), true)
  return {
    async enter(run) {
      try {
        return await lmdb.transaction(run)
      } catch (error) {
        // The reason is in a promise that nobody else handles.
        if (error instanceof Error && 'commitError' in error)
          Promise.resolve(error.commitError).catch(() => {})
        throw error
      }
    },
    enterSync: (run) => lmdb.transactionSync(run),
    close: () => lmdb.close(),
  }
}
