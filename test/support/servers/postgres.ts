import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findPort, makeFolder, type Started, startProgram, unprivileged } from './program.ts'

/** A PostgreSQL of these tests: an empty database on a port of its own, in a temporary folder. */
export interface Postgres {
  /** Where it is, for clients. */
  readonly url: string
  /** Ends it at once, and starts it again at the same place: all connections are lost. */
  restart(): Promise<void>
  /** Ends it, and deletes its folder. */
  stop(): Promise<void>
}

/** Starts a PostgreSQL. It does not run as root, so root runs it as the user that its package makes. */
export async function startPostgres(program: string): Promise<Postgres> {
  const port = await findPort()
  const account = unprivileged('postgres')
  const folder = makeFolder(account)
  const data = join(folder.path, 'data')
  const initdb = join(dirname(realpathSync(program)), 'initdb')
  const { status, stderr } = spawnSync(initdb, ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], {
    cwd: folder.path,
    encoding: 'utf8',
    ...account,
  })
  if (status !== 0) throw new Error(`initdb failed:\n${stderr}`)
  // `fsync` off: no data of a test is to outlive the machine.
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off']
  const start = () =>
    startProgram(program, ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
      port,
      folder: folder.path,
      account,
    })
  let running: Started = await start()
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async restart() {
      await running.stop('SIGINT')
      running = await start()
    },
    async stop() {
      await running.stop('SIGINT')
      folder.remove()
    },
  }
}
