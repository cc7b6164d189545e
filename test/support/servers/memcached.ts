import { findPort, makeFolder, startProgram, unprivileged } from './program.ts'
import { type Server, startServer } from './server.ts'

/** A Memcached of these tests, empty. */
export interface Memcached extends Server {
  /** Where it is, for clients: `127.0.0.1:port`. */
  readonly address: string
}

/** Starts a Memcached. It does not run as root, so root runs it as nobody. */
export async function startMemcached(program: string, settings: readonly string[] = []): Promise<Memcached> {
  const port = await findPort()
  const account = unprivileged('nobody')
  const folder = makeFolder(account)
  const launch = () =>
    startProgram(
      program,
      ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-m', '64', '-t', '1', ...settings],
      { port, folder: folder.path, account },
    )
  return { ...(await startServer(launch, folder)), address: `127.0.0.1:${port}` }
}
