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
  /** Runs a command on the server that has a key; one that only reads may go to a replica, if the client is set to. */
  run(key: string, command: RedisCommand): Promise<unknown>
  /** The servers that keys are written to, each with a way to run a command on it. */
  masters(): Promise<Array<(command: RedisCommand) => Promise<unknown>>>
}

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
  const callOf = (node: IoRedisStoreClient) => (command: RedisCommand) => {
    const [name, ...args] = command.args
    return node.call(name, args)
  }
  const call = callOf(client)
  return {
    // A cluster finds the key in the arguments.
    run: (_, command) => call(command),
    masters: async () => ('nodes' in client ? client.nodes('master').map(callOf) : [call]),
  }
}

function ofNodeRedis(client: NodeRedisStoreClient): RedisCommands {
  const send = sendBy(client)
  return { run: (_, command) => send(command), masters: async () => [send] }
}

function ofNodeRedisCluster(cluster: NodeRedisStoreCluster): RedisCommands {
  return {
    run: (key, { isReadonly, args }) => cluster.sendCommand(key, isReadonly, [...args]),
    async masters() {
      const nodes = await Promise.all(cluster.masters.map((node) => cluster.nodeClient(node as never)))
      // What `nodeClient` answers is a client as `createClient` makes it.
      return (nodes as NodeRedisStoreClient[]).map(sendBy)
    },
  }
}

function sendBy(client: NodeRedisStoreClient) {
  return ({ args }: RedisCommand) => client.sendCommand([...args])
}
