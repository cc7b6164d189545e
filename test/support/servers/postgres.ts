import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pauseProcess } from '../processes.ts'
import { findPort, makeFolder, type Started, startProgram, unprivileged } from './program.ts'
import { type Server, startServer } from './server.ts'

/** A PostgreSQL of these tests: an empty database. */
export interface Postgres extends Server {
  /** Where it is, for clients, as a user who may do everything. */
  readonly url: string
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
    return withChildren(started)
  }

  return {
    ...(await startServer(start, folder)),
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
  }
}

/** Each of its connections has a process of its own. */
function withChildren({ pid, ...main }: Started): Started {
  /** Paused, it starts no other ones meanwhile. */
  async function pause(): Promise<number[]> {
    await main.pause()
    const children = childrenOf(pid)
    await Promise.all(children.map(pauseProcess))
    return children
  }
  return {
    pid,
    async pause() {
      await pause()
    },
    resume() {
      spawnSync('pkill', ['-CONT', '-P', `${pid}`])
      main.resume()
    },
    async stop(signal = 'SIGINT') {
      // By any other signal it ends them itself.
      if (signal === 'SIGKILL') for (const id of await pause()) process.kill(id, signal)
      await main.stop(signal)
    },
  }
}

function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync('pgrep', ['-P', `${pid}`], { encoding: 'utf8' })
  return stdout.split('\n').filter(Boolean).map(Number)
}
