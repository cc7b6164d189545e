import { findPort, makeFolder, type Started, startProgram, unprivileged } from './program.ts'

/** A Memcached of these tests, empty, on a port of its own. */
export interface Memcached {
  /** Where it is, for clients: `127.0.0.1:port`. */
  readonly address: string
  /** Ends it, and starts it again at the same place: all connections and data are lost. */
  restart(signal?: NodeJS.Signals): Promise<void>
  /** Ends it, until `start`. */
  halt(): Promise<void>
  /** Starts it again. */
  start(): Promise<void>
  /** Sends it a signal, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void
  /** Ends it for good. */
  stop(): Promise<void>
}

/** Starts a Memcached. It does not run as root, so root runs it as nobody. */
export async function startMemcached(program: string, settings: readonly string[] = []): Promise<Memcached> {
  const port = await findPort()
  const account = unprivileged('nobody')
  const folder = makeFolder(account)
  const start = () =>
    startProgram(
      program,
      ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-m', '64', '-t', '1', ...settings],
      { port, folder: folder.path, account },
    )
  let running: Started = await start()
  return {
    address: `127.0.0.1:${port}`,
    async restart(signal) {
      await running.stop(signal)
      running = await start()
    },
    halt: () => running.stop(),
    async start() {
      running = await start()
    },
    signal: (signal) => running.signal(signal),
    async stop() {
      running.signal('SIGCONT')
      await running.stop()
      folder.remove()
    },
  }
}
