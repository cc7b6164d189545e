import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { findPort, makeFolder, startProgram } from './program.ts'
import { type Server, startServer } from './server.ts'

/** A Redis of these tests, empty. */
export interface Redis extends Server {
  /** Where it is, for clients. */
  readonly url: string
}

/** Starts a Redis, without files unless the settings ask for some. */
export async function startRedis(program: string, settings: readonly string[] = []): Promise<Redis> {
  const port = await findPort()
  const folder = makeFolder()
  const launch = () =>
    startProgram(
      program,
      [
        ...['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
        ...['--dir', folder.path, ...settings],
      ],
      { port, folder: folder.path },
    )
  return { ...(await startServer(launch, folder)), url: `redis://127.0.0.1:${port}` }
}

/** A cluster of three masters on this machine, which may have a replica each. */
export interface RedisCluster {
  /** Where they are, for clients. The masters come first. */
  readonly nodes: ReadonlyArray<{ readonly host: string; readonly port: number }>
  /** The servers, in the same order. */
  readonly servers: readonly Redis[]
  /** Ends them. */
  stop(): Promise<void>
}

/** Starts a cluster, and waits until each slot has its server. */
export async function startRedisCluster(
  program: string,
  { replicas = 0 }: { replicas?: 0 | 1 } = {},
): Promise<RedisCluster> {
  const servers: Redis[] = []
  for (let node = 0; node < 3 * (1 + replicas); node += 1) {
    const bus = await findPort()
    const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000']
    servers.push(await startRedis(program, [...cluster, '--cluster-port', `${bus}`]))
  }
  const nodes = servers.map(({ url }) => ({ host: '127.0.0.1', port: Number(new URL(url).port) }))
  const cli = (...args: string[]) =>
    spawnSync(join(dirname(program), program.endsWith('valkey-server') ? 'valkey-cli' : 'redis-cli'), args, {
      encoding: 'utf8',
    })
  const addresses = nodes.map(({ host, port }) => `${host}:${port}`)
  const made = cli(
    ...['--cluster', 'create', ...addresses],
    ...['--cluster-replicas', `${replicas}`, '--cluster-yes'],
  )
  if (made.status !== 0) throw new Error(`redis-cli --cluster create failed:\n${made.stdout}${made.stderr}`)
  const isReady = ({ port }: { port: number }) =>
    cli('-p', `${port}`, 'cluster', 'info').stdout.includes('cluster_state:ok')
  while (!nodes.every(isReady)) await new Promise((resolve) => setTimeout(resolve, 50))
  return {
    nodes,
    servers,
    async stop() {
      for (const server of servers) await server.stop()
    },
  }
}
