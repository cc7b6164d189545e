import { BinsError } from '../core/error.ts'
import { type RedisStoreClient, toCommands } from './redis/client.ts'
import { findScanServers, fromScanCursor, toScanCursor, toScanPattern } from './redis/scan.ts'
import { createNonce, DELETE, READ, runScript, WRITE } from './redis/scripts.ts'
import { checkWrite } from './shared/check-write.ts'
import type { Store, Stored } from './store.ts'

export type {
  IoRedisStoreClient,
  IoRedisStoreCluster,
  NodeRedisStoreClient,
  NodeRedisStoreCluster,
  RedisStoreClient,
} from './redis/client.ts'

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** What the names of all keys begin with: another one for each site on the same Redis. Default `'breadbin:'`. */
  readonly prefix?: string
}

/** Fields of the hash under a key, in the order in which all commands ask for them. */
const FIELDS = ['version', 'expires', 'text'] as const

/** How long Redis keeps what has expired: for servers with clocks that are behind its own. */
const KEEP_MS = 3_600_000

/**
 * Keeps records in Redis 7 or Valkey, alone or as a cluster, for any number of machines. A record is a hash with the
 * fields `version`, `expires` (ms since the Unix epoch, or `Infinity`), `text` and `nonce`; a write is one script on one
 * key. Redis deletes an expired record by itself, an hour later. Of a deleted one, `nonce` stays for a minute.
 *
 * What Redis forgets is gone: set `maxmemory-policy noeviction`, and `appendonly yes` with `appendfsync everysec` (loses a
 * second at most) or `always`. A fail-over to a replica may lose writes that were acknowledged shortly before.
 *
 * @param client A connected client or cluster of `ioredis` or `redis`. It stays open when the store is closed.
 * @throws TypeError for an ioredis client with `keyPrefix`.
 */
export function redisStore(
  client: RedisStoreClient,
  { prefix = 'breadbin:' }: RedisStoreOptions = {},
): Store {
  const commands = toCommands(client)
  const pattern = toScanPattern(prefix)
  let isOpen = true

  function assertOpen(): void {
    if (!isOpen) throw new BinsError('CLOSED', 'The Redis store was closed.')
  }

  function ask(name: string, ...fields: string[]): Promise<unknown> {
    return commands.run(name, { isReadonly: true, args: ['HMGET', name, ...fields] })
  }

  return {
    durable: true,

    async read(key, { now, fresh = false }) {
      assertOpen()
      const name = prefix + key
      const stored = toStored(await (fresh ? runScript(commands, READ, name) : ask(name, ...FIELDS)))
      return stored && stored.expires > now ? stored : undefined
    },

    async write(key, next, expected, now) {
      assertOpen()
      checkWrite(key, next, expected, now)
      const { version, text, expires } = next
      const until = expires === Infinity ? '' : String(expires + KEEP_MS)
      const values = [
        createNonce(),
        String(version),
        String(expires),
        text,
        String(expected),
        String(now),
        until,
      ]
      return Number(await runScript(commands, WRITE, prefix + key, values)) === 1
    },

    async delete(key, expected) {
      assertOpen()
      const values = [createNonce(), expected === undefined ? '' : String(expected)]
      return Number(await runScript(commands, DELETE, prefix + key, values)) === 1
    },

    async sweep() {
      assertOpen()
      return 0
    },

    async versions(keys, now) {
      assertOpen()
      const versions = new Map<string, number>()
      // Both clients send together what is asked at once.
      await Promise.all(
        [...new Set(keys)].map(async (key) => {
          const stored = toStored(await ask(prefix + key, 'version', 'expires'))
          if (stored && stored.expires > now) versions.set(key, stored.version)
        }),
      )
      return versions
    },

    async scan(cursor, limit) {
      assertOpen()
      const { node, position, layout } = toScanCursor(cursor)
      const found = await findScanServers(commands, layout)
      const server = found.servers[node]
      if (!server) throw new BinsError('STORE_FAILED', 'The cursor is of another scan; begin anew.')
      const reply = await server({
        isReadonly: true,
        args: ['SCAN', position, 'MATCH', pattern, 'COUNT', String(limit), 'TYPE', 'hash'],
      })
      // The position to go on from, and names (redis.io/docs/latest/commands/scan).
      const [next, names] = reply as [string | Uint8Array, Array<string | Uint8Array>]
      const entries = await Promise.all(
        [...new Set(names.map(String))].map(async (name): Promise<Array<[string, Stored]>> => {
          // The same server: a replica may not have it yet.
          const stored = toStored(await server({ isReadonly: true, args: ['HMGET', name, ...FIELDS] }))
          return stored ? [[name.slice(prefix.length), stored]] : []
        }),
      )
      const follows = fromScanCursor({ node, position: String(next) }, found)
      if (follows !== undefined) return { entries: entries.flat(), cursor: follows }
      // What has left a server since its page was asked for is in no page.
      await findScanServers(commands, found.layout)
      return { entries: entries.flat() }
    },

    async close() {
      isOpen = false
    },
  }
}

function toStored(reply: unknown): Stored | undefined {
  // HMGET answers a value for each field, and null for those that are not there.
  const [version, expires, text] = reply as Array<string | Uint8Array | null | undefined>
  if (version == null || expires == null) return undefined
  return { version: Number(version), text: String(text ?? ''), expires: Number(expires) }
}
