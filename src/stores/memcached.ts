import { createHash } from 'node:crypto'
import { BinsError } from '../core/error.ts'
import { getItems, isDone, type MemcachedClient, type MemcachedItem } from './memcached/client.ts'
import { checkWrite } from './shared/check-write.ts'
import { formatEntry, parseEntry } from './shared/entry-text.ts'
import type { Store, Stored } from './store.ts'

export type { MemcachedClient } from './memcached/client.ts'

/** Options of {@link memcachedStore}. */
export interface MemcachedStoreOptions {
  /** What all keys begin with: another one for each site. Up to 100 printable ASCII characters. Default `'breadbin:'`. */
  readonly prefix?: string
  /**
   * Longest text, in bytes of UTF-8; more is `TOO_LARGE`. Memcached takes items of 1 MiB unless it is started with `-I`.
   * Default 1,000,000.
   */
  readonly maxTextBytes?: number
}

/** How long Memcached keeps what has expired: for servers with clocks that are behind its own. */
const KEEP_SECONDS = 3_600

/** Memcached has 32 bits for a time. */
const MAX_SECONDS = 2 ** 31 - 1

/** What Memcached takes as a time in the past: the item is gone at once (protocol.txt, "Expiration times"). */
const GONE = -1

/**
 * Keeps records in Memcached, for any number of machines: a cache. What it evicts or forgets with a restart is gone, and
 * it lists nothing, so there is no `scan`. Use it for bins that may be lost, or as the front of `layeredStore`.
 *
 * An item has version and expiry in its first line, and the text below.
 *
 * @param client A `MemcacheClient` of `memcache-client` with one server: it would spread keys over several at random. It
 * stays open when the store is closed.
 */
export function memcachedStore(
  client: MemcachedClient,
  { prefix = 'breadbin:', maxTextBytes = 1_000_000 }: MemcachedStoreOptions = {},
): Store {
  if (!/^[!-~]{0,100}$/.test(prefix)) {
    throw new TypeError('prefix: pass at most 100 printable ASCII characters without spaces.')
  }
  let isOpen = true

  function assertOpen(): void {
    if (!isOpen) throw new BinsError('CLOSED', 'The Memcached store was closed.')
  }

  async function find(name: string): Promise<MemcachedItem | undefined> {
    return (await getItems(client, [name])).get(name)
  }

  function toName(key: string): string {
    return prefix + toSafeKey(key)
  }

  return {
    durable: false,

    async read(key, { now }) {
      assertOpen()
      return toLive(await find(toName(key)), now)
    },

    async write(key, next, expected, now) {
      assertOpen()
      checkWrite(key, next, expected, now)
      checkSize(next.text, maxTextBytes)
      const name = toName(key)
      const content = formatEntry(next)
      const lifetime = toLifetime(next.expires)
      const item = await find(name)
      if ((toLive(item, now)?.version ?? 0) !== expected) return false
      return item
        ? isDone(client.cas(name, content, { lifetime, casUniq: item.casUniq }))
        : isDone(client.add(name, content, { lifetime }))
    },

    async delete(key, expected) {
      assertOpen()
      const name = toName(key)
      if (expected === undefined) return isDone(client.delete(name))
      const item = await find(name)
      if (!item || parseEntry(item.value)?.version !== expected) return false
      return isDone(client.cas(name, '', { lifetime: GONE, casUniq: item.casUniq }))
    },

    async sweep() {
      assertOpen()
      return 0
    },

    async versions(keys, now) {
      assertOpen()
      const versions = new Map<string, number>()
      if (keys.length === 0) return versions
      const items = await getItems(client, [...new Set(keys.map(toName))])
      for (const key of keys) {
        const entry = toLive(items.get(toName(key)), now)
        if (entry) versions.set(key, entry.version)
      }
      return versions
    },

    async close() {
      isOpen = false
    },
  }
}

function toLive(item: MemcachedItem | undefined, now: number): Stored | undefined {
  const entry = item && parseEntry(item.value)
  return entry && entry.expires > now ? entry : undefined
}

/** Memcached takes 250 bytes without spaces and control characters; any other key goes by its SHA-256. */
function toSafeKey(key: string): string {
  return /^[\w.:-]{1,128}$/.test(key) ? key : `#${createHash('sha256').update(key).digest('base64url')}`
}

/** Seconds since the Unix epoch; 0 = never. What is less than 30 days would be a time from now on. */
function toLifetime(expires: number): number {
  const seconds = Math.ceil(expires / 1_000) + KEEP_SECONDS
  return seconds > MAX_SECONDS ? 0 : seconds
}

function checkSize(text: string, maxTextBytes: number): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= maxTextBytes) return
  throw new BinsError(
    'TOO_LARGE',
    `A text of ${bytes} bytes is over the store's maxTextBytes, ${maxTextBytes}.`,
  )
}
