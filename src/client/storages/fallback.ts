import { memoryRows } from './memory.ts'
import type { Rows } from './rows.ts'

/**
 * Keeps rows in a table for as long as it works, and in this page's memory from the first failure on: nothing that was
 * read or written before is lost to the page.
 *
 * @param onFailure Told once why.
 */
export function withFallback(table: Rows, onFailure: (cause: unknown) => void): Rows {
  const seen = new Map<string, unknown>()
  let rows = table

  function note(prefix: string, present: Map<string, unknown>): Map<string, unknown> {
    for (const key of seen.keys()) if (key.startsWith(prefix) && !present.has(key)) seen.delete(key)
    for (const [key, value] of present) seen.set(key, value)
    return present
  }

  async function attempt(prefix: string, work: (rows: Rows) => Promise<Map<string, unknown>>) {
    const used = rows
    try {
      return note(prefix, await work(used))
    } catch (cause) {
      if (rows === table) {
        // A key that ends there is a replica's meta row. What memory holds must not go on under the same client id:
        // its op numbers are not durable any more.
        rows = memoryRows([...seen].filter(([key]) => !/^s\/[^/]*\/$/.test(key)))
        table.close()
        onFailure(cause)
      }
      return note(prefix, await work(rows))
    }
  }

  return {
    load: (prefix) => attempt(prefix, (used) => used.load(prefix)),
    change: (prefix, step) => attempt(prefix, (used) => used.change(prefix, step)),
    close: () => rows.close(),
  }
}
