import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import type { RedisStoreClient } from '../../../src/stores/redis.ts'
import type { RedisCluster } from '../servers/redis.ts'

/** A client of these tests. */
export interface TestClient {
  readonly client: RedisStoreClient
  /** To be called once, before anything else. */
  connect(): Promise<unknown>
  end(): void
}

/** Clients of one server, which connect again `retryMs` after their connection was lost. */
export const CLIENTS: Record<string, (url: string, retryMs: number) => TestClient> = {
  ioredis(url, retryMs) {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => retryMs })
    return { client, connect: () => client.connect(), end: () => client.disconnect() }
  },
  'node-redis'(url, retryMs) {
    const client = createClient({ url, socket: { reconnectStrategy: () => retryMs } })
    client.on('error', () => {})
    return { client, connect: () => client.connect(), end: () => client.destroy() }
  },
}

/** Clients of a cluster. */
export const CLUSTER_CLIENTS: Record<string, (cluster: RedisCluster) => TestClient> = {
  ioredis({ nodes }) {
    const client = new Cluster([...nodes], { lazyConnect: true, clusterRetryStrategy: () => 20 })
    return { client, connect: () => client.connect(), end: () => client.disconnect() }
  },
  'node-redis'({ nodes }) {
    const client = createCluster({
      rootNodes: nodes.map(({ host, port }) => ({ url: `redis://${host}:${port}` })),
    })
    client.on('error', () => {})
    return { client, connect: () => client.connect(), end: () => client.destroy() }
  },
}
