/** What is called of a client of `ioredis`. */
export interface IoRedisStoreClient {
  readonly status: string
  readonly options?: { readonly keyPrefix?: string | undefined }
  call(command: string, args: string[]): Promise<unknown>
  on(event: 'error', listener: () => void): unknown
  listeners(event: 'error'): readonly unknown[]
}

/** What is called of a cluster of `ioredis`. */
export interface IoRedisStoreCluster extends IoRedisStoreClient {
  nodes(role: 'master'): IoRedisStoreClient[]
  refreshSlotsCache(callback: () => void): unknown
}

/** What is called of a client of `redis`, by `createClient`. */
export interface NodeRedisStoreClient {
  readonly isReady: boolean
  sendCommand(args: string[]): Promise<unknown>
  on(event: 'error', listener: () => void): unknown
  listeners(event: 'error'): readonly unknown[]
}

/** What is called of a cluster of `redis`, by `createCluster`. */
export interface NodeRedisStoreCluster {
  readonly masters: readonly unknown[]
  sendCommand(firstKey: string | undefined, isReadonly: boolean, args: string[]): Promise<unknown>
  // The nodes' type has our users' modules and scripts in it; all of them have `sendCommand`.
  nodeClient(node: never): unknown
  on(event: 'error', listener: () => void): unknown
  listeners(event: 'error'): readonly unknown[]
}

/** A client or cluster of `ioredis` or `redis`. */
export type RedisStoreClient =
  | IoRedisStoreClient
  | IoRedisStoreCluster
  | NodeRedisStoreClient
  | NodeRedisStoreCluster

/** One way to talk to all of them. */
export interface RedisCommands {
  /** Whether keys are spread over several servers. */
  readonly isCluster: boolean
  /** Runs a command on the server that has a key; one that only reads may go to a replica, if the client is set to. */
  run(key: string, command: RedisCommand): Promise<unknown>
  /**
   * The servers that keys are written to, as far as the client knows: a cluster of ioredis that is connecting is waited
   * for, and one of node-redis has none.
   */
  masters(): Promise<RunCommand[]>
  /** Has the client look for the servers anew: ioredis does so by itself only when a command with a key fails. */
  refresh(): Promise<void>
}

/** Runs a command on one server. */
export type RunCommand = (command: RedisCommand) => Promise<unknown>

/** A command, with whether it only reads. */
export interface RedisCommand {
  readonly isReadonly: boolean
  readonly args: readonly [string, ...string[]]
}

/**
 * Makes one of all kinds of clients.
 *
 * @throws TypeError if it adds a prefix of its own, which a scan would not know of.
 */
export function toCommands(client: RedisStoreClient): RedisCommands {
  // Without a listener, Node ends the process when a connection is lost.
  if (!client.listeners('error').includes(ignore)) client.on('error', ignore)
  if ('masters' in client) return ofNodeRedisCluster(client)
  if ('isReady' in client) return ofNodeRedis(client)
  if (client.options?.keyPrefix) {
    throw new TypeError('redisStore: pass prefix to the store, and a client without keyPrefix.')
  }
  return ofIoRedis(client)
}

/** One for all stores on a client. */
function ignore(): void {}

function ofIoRedis(client: IoRedisStoreClient | IoRedisStoreCluster): RedisCommands {
  const callOf =
    (node: IoRedisStoreClient): RunCommand =>
    ({ args: [name, ...args] }) =>
      node.call(name, args)
  const call = callOf(client)
  return {
    isCluster: 'nodes' in client,
    // A cluster finds the key in the arguments.
    run: (_, command) => call(command),
    async masters() {
      if (!('nodes' in client)) return [call]
      // What it is asked before it is ready, it answers when it is.
      if (client.status !== 'ready') await client.call('PING', [])
      return client.nodes('master').map(callOf)
    },
    refresh: () =>
      new Promise((resolve) => ('nodes' in client ? client.refreshSlotsCache(() => resolve()) : resolve())),
  }
}

function ofNodeRedis(client: NodeRedisStoreClient): RedisCommands {
  const send = sendBy(client)
  return {
    isCluster: false,
    run: (_, command) => send(command),
    masters: async () => [send],
    refresh: async () => {},
  }
}

function ofNodeRedisCluster(cluster: NodeRedisStoreCluster): RedisCommands {
  return {
    isCluster: true,
    run: (key, { isReadonly, args }) => cluster.sendCommand(key, isReadonly, [...args]),
    async masters() {
      const nodes = await Promise.all(cluster.masters.map((node) => cluster.nodeClient(node as never)))
      // What `nodeClient` answers is a client as `createClient` makes it.
      return (nodes as NodeRedisStoreClient[]).map(sendBy)
    },
    refresh: async () => {},
  }
}

function sendBy(client: NodeRedisStoreClient): RunCommand {
  return ({ args }) => client.sendCommand([...args])
}
