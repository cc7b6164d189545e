import type { makeFolder, Started } from './program.ts'

/** A server of these tests, on a port of its own, with its data in a temporary folder. */
export interface Server {
  /** Ends it, and starts it again at the same place: all connections are lost, and so is what is not on disk. */
  restart(signal?: NodeJS.Signals): Promise<void>
  /** Ends it, until `start`. */
  halt(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again. */
  start(): Promise<void>
  /** Keeps it from running, until `resume`: it takes connections, and answers nothing. */
  pause(): Promise<void>
  /** Lets it go on. */
  resume(): void
  /** Ends it for good, and deletes its folder. */
  stop(): Promise<void>
}

/**
 * Starts a server.
 *
 * @param launch Starts its program, again and again.
 * @param lastSignal Ends it where nobody needs its data any more. Default: as it ends otherwise.
 */
export async function startServer(
  launch: () => Promise<Started>,
  folder: ReturnType<typeof makeFolder>,
  lastSignal?: NodeJS.Signals,
): Promise<Server> {
  let running = await launch()
  const halt = (signal?: NodeJS.Signals) => running.stop(signal)
  const start = async () => {
    running = await launch()
  }
  return {
    halt,
    start,
    async restart(signal) {
      await halt(signal)
      await start()
    },
    pause: () => running.pause(),
    resume: () => running.resume(),
    async stop() {
      running.resume()
      await halt(lastSignal)
      folder.remove()
    },
  }
}
