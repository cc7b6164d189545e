import type { Bus, BusListener } from './bus.ts'

/** What is called of a client of `pg`. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<unknown>
  on(
    event: 'notification',
    listener: (message: { channel: string; payload?: string | undefined }) => void,
  ): unknown
  on(event: 'error', listener: (error: unknown) => void): unknown
  on(event: 'end', listener: () => void): unknown
  end(): Promise<unknown>
}

/** Options of {@link postgresBus}. */
export interface PostgresBusOptions {
  /** Name of the channel: another one for each site in the same database. Letters, digits and `_`. Default `'breadbin'`. */
  readonly channel?: string
}

/** A connection, from the attempt to make it to its end. */
interface Line {
  readonly client: Promise<PostgresClient>
  /** The client, once it is connected. */
  connected: PostgresClient | undefined
  /** The last statement: `pg` takes one at a time. */
  last: Promise<unknown>
  isLost: boolean
}

/** PostgreSQL refuses longer ones (https://www.postgresql.org/docs/current/sql-notify.html). */
const MAX_BYTES = 7_999

/** How long to wait before the first reconnection, and at most, in ms. */
const RETRY_MS = { first: 100, longest: 30_000 }

/**
 * Carries changes between the processes of a site by `LISTEN` and `NOTIFY`, on one connection of its own, which is made
 * when it is first needed and made again, ever more slowly, when it is lost.
 *
 * The connection has to lead to PostgreSQL directly: PgBouncer and other poolers in transaction mode accept `LISTEN`
 * and forget it. Every commit with a `NOTIFY` takes a lock of the whole cluster for a moment, so for more than a few
 * hundred writes per second take Redis.
 *
 * @param connect Makes and connects a client: `async () => { const client = new Client({ connectionString, keepAlive:
 * true }); await client.connect(); return client }`. With `keepAlive`, a connection that died unheard is noticed.
 * @throws TypeError for a channel that is no plain name.
 */
export function postgresBus(
  connect: () => Promise<PostgresClient>,
  { channel = 'breadbin' }: PostgresBusOptions = {},
): Bus {
  if (!/^[A-Za-z_]\w{0,62}$/.test(channel)) {
    throw new TypeError('channel: pass a name of letters, digits and _, 63 at most.')
  }
  const listeners = new Set<BusListener>()
  let line: Line | undefined
  let retry: NodeJS.Timeout | undefined
  let failures = 0
  let waiting: string[] = []
  let sending: Promise<void> | undefined
  let isClosed = false

  function open(): Line {
    if (isClosed) throw new Error('This bus was closed.')
    const ours: Line = {
      client: prepare(() => lose(ours)),
      connected: undefined,
      last: Promise.resolve(),
      isLost: false,
    }
    line = ours
    ours.client.then(
      (client) => {
        failures = 0
        ours.connected = client
        if (ours.isLost) end(client)
      },
      () => lose(ours),
    )
    return ours
  }

  async function prepare(onLost: () => void): Promise<PostgresClient> {
    const client = await connect()
    client.on('error', onLost)
    client.on('end', onLost)
    // Whatever comes is taken at once: notifications that nobody reads fill the queue of the whole cluster.
    client.on('notification', ({ channel: from, payload }) => {
      if (from === channel && payload !== undefined)
        for (const { message } of [...listeners]) message(payload)
    })
    if (listeners.size > 0) await client.query(`LISTEN "${channel}"`)
    return client
  }

  /** Runs a statement, on a new line if there is none. */
  async function run(text: string, values?: unknown[]): Promise<void> {
    const ours = line ?? open()
    const client = await ours.client
    const next = ours.last.then(() => client.query(text, values))
    ours.last = next.catch(() => {})
    await next
  }

  function lose(lost: Line): void {
    if (lost.isLost) return
    lost.isLost = true
    if (line === lost) line = undefined
    if (lost.connected) end(lost.connected)
    if (isClosed || retry) return
    const ms = Math.min(RETRY_MS.first * 2 ** failures, RETRY_MS.longest)
    failures += 1
    retry = setTimeout(() => void reconnect(), ms * (0.5 + Math.random() / 2)).unref()
  }

  async function reconnect(): Promise<void> {
    retry = undefined
    try {
      await (line ?? open()).client
      for (const { gap } of [...listeners]) gap()
    } catch {
      // The line was lost, and with that the next attempt was set.
    }
  }

  /** What comes while others are sent goes in one statement, and in one commit. */
  async function sendAll(): Promise<void> {
    try {
      // Let all of this turn come together.
      await undefined
      while (waiting.length > 0) {
        const messages = waiting
        waiting = []
        await run('SELECT pg_notify($1, message) FROM unnest($2::text[]) AS message', [channel, messages])
      }
    } finally {
      waiting = []
      sending = undefined
    }
  }

  return {
    async publish(message) {
      if (Buffer.byteLength(message) > MAX_BYTES) {
        throw new RangeError(`The message is over the ${MAX_BYTES} bytes that PostgreSQL takes.`)
      }
      if (retry && !line && !isClosed)
        throw new Error('PostgreSQL is not connected; the message was dropped.')
      waiting.push(message)
      sending ??= sendAll()
      await sending
    },

    async subscribe({ message, gap }) {
      // The same listener may subscribe twice.
      const listener = { message, gap }
      listeners.add(listener)
      try {
        await run(`LISTEN "${channel}"`)
      } catch (error) {
        listeners.delete(listener)
        throw error
      }
      return async () => {
        if (!listeners.delete(listener) || listeners.size > 0) return
        // Where the line is lost, there is nothing to take back.
        if (line?.connected) await run(`UNLISTEN "${channel}"`).catch(() => {})
      }
    },

    async close() {
      isClosed = true
      clearTimeout(retry)
      listeners.clear()
      if (!line) return
      // One that is still being made is ended as soon as it is.
      line.isLost = true
      await line.connected?.end()
      line = undefined
    },
  }
}

/** Lets go of a connection that is of no use any more. */
function end(client: PostgresClient): void {
  client.end().catch(() => {})
}
