import type { Bus, BusListener } from './bus.ts'

/** What is called of an ioredis client. */
export interface IoRedisClient {
  /** `'ready'` while commands are answered. */
  readonly status: string
  publish(channel: string, message: string): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: 'ready' | 'error', listener: () => void): unknown
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
}

/** What is called of a node-redis client. */
export interface NodeRedisClient {
  /** Whether commands are answered. */
  readonly isReady: boolean
  publish(channel: string, message: string): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  unsubscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  on(event: 'ready' | 'error', listener: () => void): unknown
}

/** A client of `ioredis` or `redis`. */
export type RedisClient = IoRedisClient | NodeRedisClient

/** Options of {@link redisBus}. */
export interface RedisBusOptions {
  /** Name of the channel: another one for each site on the same Redis. Default `'breadbin'`. */
  readonly channel?: string
}

/**
 * Carries changes between the processes of a site by Redis or Valkey pub/sub.
 *
 * Both clients are to be connected, and stay open; `ioredis` and `redis` work. While the connection is lost they
 * reconnect by themselves, and messages are dropped, not queued.
 *
 * @param publisher Any client, such as the one that the store uses.
 * @param subscriber A client of its own, such as `publisher.duplicate()`: Redis answers no commands on it. Pass
 * `autoResubscribe: false` to ioredis: the bus subscribes again itself, and where ioredis 6 does so while the connection
 * is closed, it leaves a rejection unhandled.
 */
export function redisBus(
  publisher: RedisClient,
  subscriber: RedisClient,
  { channel = 'breadbin' }: RedisBusOptions = {},
): Bus {
  for (const client of new Set([publisher, subscriber])) {
    // Without a listener, Node ends the process when a connection is lost.
    client.on('error', () => {})
  }
  const listeners = new Set<BusListener>()
  const line = openLine(subscriber, channel, {
    message: (text) => {
      for (const { message } of [...listeners]) message(text)
    },
    gap: () => {
      for (const { gap } of [...listeners]) gap()
    },
  })
  return {
    async publish(message) {
      if (!isReady(publisher)) throw new Error('Redis is not connected; the message was dropped.')
      await publisher.publish(channel, message)
    },

    async subscribe({ message, gap }) {
      // The same listener may subscribe twice.
      const listener = { message, gap }
      listeners.add(listener)
      try {
        await line.subscribe()
      } catch (error) {
        listeners.delete(listener)
        throw error
      }
      return async () => {
        if (!listeners.delete(listener) || listeners.size > 0) return
        const done = line.unsubscribe().catch(() => {})
        // Of a lost connection, there may never be an answer.
        if (isReady(subscriber)) await done
      }
    },
  }
}

/** The subscription to one channel. */
interface Line {
  /** Does nothing if it is there. */
  subscribe(): Promise<unknown>
  unsubscribe(): Promise<unknown>
}

/** Both clients queue commands while they reconnect: node-redis without a limit. */
function isReady(client: RedisClient): boolean {
  if ('isReady' in client) return client.isReady
  // An ioredis client with `lazyConnect` waits for its first command.
  return client.status === 'ready' || client.status === 'wait'
}

function openLine(client: RedisClient, channel: string, listener: BusListener): Line {
  return 'isReady' in client
    ? openNodeRedis(client, channel, listener)
    : openIoRedis(client, channel, listener)
}

/** Subscribes again by itself, and is `ready` when that is done (node-redis, client/index.ts, `#initiateSocket`). */
function openNodeRedis(client: NodeRedisClient, channel: string, { message, gap }: BusListener): Line {
  client.on('ready', gap)
  return {
    subscribe: () => client.subscribe(channel, message),
    unsubscribe: () => client.unsubscribe(channel, message),
  }
}

/** Subscribes again by itself, but is `ready` before that is done (ioredis, event_handler.ts, `readyHandler`). */
function openIoRedis(client: IoRedisClient, channel: string, { message, gap }: BusListener): Line {
  let isSubscribed = false
  client.on('message', (from, text) => {
    if (from === channel) message(text)
  })
  client.on('ready', () => {
    // Answered after what the client has sent by itself. If it fails, the connection is lost once more.
    if (isSubscribed) client.subscribe(channel).then(gap, () => {})
  })
  return {
    async subscribe() {
      await client.subscribe(channel)
      isSubscribed = true
    },
    async unsubscribe() {
      isSubscribed = false
      await client.unsubscribe(channel)
    },
  }
}
