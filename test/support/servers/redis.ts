import { findPort, makeFolder, type Started, startProgram } from './program.ts'

/** A Redis of these tests: empty, on a port of its own, without files. */
export interface Redis {
  /** Where it is, for clients. */
  readonly url: string
  /** Ends it, and starts it again at the same place: all connections are lost, and so are the data. */
  restart(): Promise<void>
  /** Ends it. */
  stop(): Promise<void>
}

/** Starts a Redis. */
export async function startRedis(program: string): Promise<Redis> {
  const port = await findPort()
  const folder = makeFolder()
  const start = () =>
    startProgram(
      program,
      ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder.path],
      { port, folder: folder.path },
    )
  let running: Started = await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    async restart() {
      await running.stop()
      running = await start()
    },
    async stop() {
      await running.stop()
      folder.remove()
    },
  }
}
