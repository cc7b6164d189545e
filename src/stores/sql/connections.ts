import { BinsError } from '../../core/error.ts'

/** A connection that was taken out of a pool. */
export interface Connection<Client> {
  /** What runs statements. */
  readonly client: Client
  /** Puts it back, for others to use. */
  release(): void
  /** Ends it, whatever it is doing, and makes room for another one in the pool. */
  destroy(): void
}

/**
 * Says that a statement ran in what somebody else has left on its connection: nothing of it stays once that is ended, and
 * another connection may do better.
 */
export class SpoiledConnection extends BinsError {
  constructor(cause?: unknown) {
    super(
      'STORE_FAILED',
      'The pool lends connections that somebody has put back in a transaction, without autocommit or without their prepared statements. Nothing was written. Commit, roll back or reset before connections are released.',
      { cause },
    )
  }
}

/** How to use a pool. */
export interface ConnectionsOptions<Client> {
  /** Takes a connection out of the pool, as soon as there is one. */
  readonly acquire: () => Promise<Connection<Client>>
  /** Whether the database took back the whole statement because others were in its way. */
  readonly isCollision: (error: unknown) => boolean
  /** How long a call may take, with the wait for a connection, in ms. */
  readonly timeoutMs: number
}

/**
 * Runs statements on a connection out of a pool, one after the other.
 *
 * @throws {@link BinsError} `STORE_TIMEOUT` after `timeoutMs`. What was under way then may still take place; what was
 * not begun will not.
 */
export type UseConnection<Client> = <Result>(run: (client: Client) => Promise<Result>) => Promise<Result>

/** How often a statement is run again: somebody else got further each time. */
const MAX_COLLISIONS = 20

/** How often a call takes another connection: a pool that has none but spoiled ones would make them for ever. */
const MAX_SPOILED = 20

/** Makes what runs statements on the connections of a pool, not for ever, and past collisions and spoiled connections. */
export function openConnections<Client>(options: ConnectionsOptions<Client>): UseConnection<Client> {
  const { acquire, isCollision, timeoutMs } = options

  async function repeat<Result>(run: () => Promise<Result>): Promise<Result> {
    for (let collisions = 0; ; collisions += 1) {
      try {
        return await run()
      } catch (error) {
        if (!isCollision(error) || collisions === MAX_COLLISIONS) throw error
      }
    }
  }

  return (run) =>
    new Promise((resolve, reject) => {
      let connection: Connection<Client> | undefined
      let isLate = false

      const timer = setTimeout(() => {
        isLate = true
        // It may hang for good: the pool is better off with a new one.
        connection?.destroy()
        reject(timedOut(timeoutMs))
      }, timeoutMs)

      async function work() {
        for (let spoiled = 0; ; spoiled += 1) {
          const taken = await acquire()
          // Those who waited while the database was away do not fall on it all at once when it is back.
          if (isLate) {
            taken.release()
            throw timedOut(timeoutMs)
          }
          connection = taken
          try {
            const result = await repeat(() => run(taken.client))
            if (!isLate) taken.release()
            return result
          } catch (error) {
            if (isLate) throw error
            // It may be the connection that failed, and then nobody else should get it.
            connection = undefined
            taken.destroy()
            if (!(error instanceof SpoiledConnection) || spoiled === MAX_SPOILED) throw error
          }
        }
      }

      work()
        .then(resolve, reject)
        .finally(() => clearTimeout(timer))
    })
}

function timedOut(timeoutMs: number): BinsError {
  return new BinsError('STORE_TIMEOUT', `The database did not answer within ${timeoutMs} ms.`)
}
