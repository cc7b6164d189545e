import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { findPort, makeFolder, type Started, startProgram, unprivileged } from './program.ts'

/** A PostgreSQL of these tests: an empty database on a port of its own, in a temporary folder. */
export interface Postgres {
  /** Where it is, for clients, as a user who may do everything. */
  readonly url: string
  /** Ends it at once, and starts it again at the same place: all connections are lost. */
  restart(signal?: NodeJS.Signals): Promise<void>
  /** Ends it at once, until `start`. */
  halt(): Promise<void>
  /** Starts it again. */
  start(): Promise<void>
  /** Sends a signal, such as SIGSTOP, to all its processes. */
  signal(signal: NodeJS.Signals): void
  /** Ends it, and deletes its folder. */
  stop(): Promise<void>
}

/** Starts a PostgreSQL. It does not run as root, so root runs it as the user that its package makes. */
export async function startPostgres(program: string, more: readonly string[] = []): Promise<Postgres> {
  const port = await findPort()
  const account = unprivileged('postgres')
  const folder = makeFolder(account)
  const data = join(folder.path, 'data')
  const beside = (name: string) => join(dirname(realpathSync(program)), name)
  const { status, stderr } = spawnSync(
    beside('initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'],
    {
      cwd: folder.path,
      encoding: 'utf8',
      ...account,
    },
  )
  if (status !== 0) throw new Error(`initdb failed:\n${stderr}`)
  // `fsync` off: no data of a test is to outlive the machine, and `kill -9` leaves the operating system's caches alone.
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    ...more,
  ]
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]

  /** Starts it as soon as processes that were killed have let go of its memory. */
  async function launch(attempts = 200): Promise<Started> {
    try {
      return await startProgram(program, args, { port, folder: folder.path, account })
    } catch (error) {
      if (attempts === 0 || !String(error).includes('is still in use')) throw error
      await setTimeout(20)
      return launch(attempts - 1)
    }
  }

  async function start(): Promise<Started> {
    const started = await launch()
    // It listens before it has recovered.
    while (spawnSync(beside('pg_isready'), ['-h', '127.0.0.1', '-p', `${port}`]).status !== 0)
      await setTimeout(10)
    return started
  }

  let running: Started = await start()

  function signal(name: NodeJS.Signals): void {
    // Paused, it starts no other ones meanwhile.
    running.signal('SIGSTOP')
    const pids = [...childrenOf(running.pid), running.pid]
    for (const pid of pids) {
      try {
        process.kill(pid, name)
      } catch {
        // It has ended by itself.
      }
    }
    if (name !== 'SIGSTOP') running.signal('SIGCONT')
  }

  async function restart(name: NodeJS.Signals = 'SIGINT'): Promise<void> {
    // Otherwise it ends its processes itself.
    if (name === 'SIGKILL') signal(name)
    await running.stop(name)
    running = await start()
  }

  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    restart,
    halt: () => running.stop('SIGINT'),
    async start() {
      running = await start()
    },
    signal,
    async stop() {
      signal('SIGCONT')
      await running.stop('SIGINT')
      folder.remove()
    },
  }
}

function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync('pgrep', ['-P', `${pid}`], { encoding: 'utf8' })
  return stdout.split('\n').filter(Boolean).map(Number)
}
