/** What is called of a `MemcacheClient` of `memcache-client`. It rejects with Memcached's own words. */
export interface MemcachedClient {
  gets(keys: string[]): Promise<unknown>
  add(key: string, value: string, options: { lifetime: number }): Promise<unknown>
  cas(key: string, value: string, options: { lifetime: number; casUniq: string }): Promise<unknown>
  delete(key: string): Promise<unknown>
}

/** A value that Memcached has. */
export interface MemcachedItem {
  readonly value: string
  /** Moves with every write, by Memcached. */
  readonly casUniq: string
}

/** Answers of Memcached that mean no. */
const REFUSALS = /^(?:NOT_STORED|EXISTS|NOT_FOUND)$/

/** Reads what is there of some keys. */
export async function getItems(
  client: MemcachedClient,
  keys: readonly string[],
): Promise<Map<string, MemcachedItem>> {
  // An object with a property for each key that is there (memcache-client, types `MultiCasRetrievalResponse`).
  const items = (await client.gets([...keys])) as Record<string, { value: unknown; casUniq: unknown }>
  return new Map(
    Object.entries(items).map(([key, { value, casUniq }]) => [
      key,
      { value: String(value), casUniq: String(casUniq) },
    ]),
  )
}

/** Whether Memcached did what it was asked. */
export async function isDone(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if (error instanceof Error && REFUSALS.test(error.message)) return false
    throw error
  }
}
