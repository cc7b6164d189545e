/** What was computed before, as long as it is used and there is room. */
export interface Memo<Value> {
  /** Finds what was computed for a key in a scope. */
  get(scope: string, key: string): Value | undefined
  /**
   * Keeps what was computed for a key in a scope.
   *
   * @param bytes What key and value take in memory, about. What is over a quarter of all that fits is not kept.
   */
  set(scope: string, key: string, value: Value, bytes: number): void
}

interface Entry<Value> {
  readonly value: Value
  readonly bytes: number
}

type Scopes<Value> = Map<string, Map<string, Entry<Value>>>

/**
 * Opens a memo. What has gone unused for longest goes first, half of all at a time: to note the order of every use would
 * cost more than many a computation.
 *
 * @param maxBytes Most bytes that all entries take.
 */
export function openMemo<Value>(maxBytes: number): Memo<Value> {
  /** What was set or used since it was begun; at half of the bytes it becomes the older one. */
  let recent: Scopes<Value> = new Map()
  let older: Scopes<Value> = new Map()
  let recentBytes = 0

  function put(scope: string, key: string, entry: Entry<Value>): void {
    const entries = recent.get(scope) ?? new Map<string, Entry<Value>>()
    recentBytes += entry.bytes - (entries.get(key)?.bytes ?? 0)
    recent.set(scope, entries.set(key, entry))
    if (recentBytes <= maxBytes / 2) return
    older = recent
    recent = new Map()
    recentBytes = 0
  }

  return {
    get(scope, key) {
      const known = recent.get(scope)?.get(key)
      if (known) return known.value
      const old = older.get(scope)?.get(key)
      if (old) put(scope, key, old)
      return old?.value
    },
    set(scope, key, value, bytes) {
      if (bytes <= maxBytes / 4) put(scope, key, { value, bytes })
    },
  }
}
