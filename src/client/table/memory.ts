import type { Rows } from './rows.ts'

/** Keeps rows for as long as the page lives: where the browser has nothing better. */
export function memoryRows(initial: Iterable<readonly [string, unknown]> = []): Rows {
  const rows = new Map<string, unknown>(initial)

  const under = (prefix: string) => new Map([...rows].filter(([key]) => key.startsWith(prefix)))

  return {
    async load(prefix) {
      return under(prefix)
    },
    async change(prefix, step) {
      for (const [key, value] of step(under(prefix))) {
        if (value === undefined) rows.delete(key)
        else rows.set(key, value)
      }
      return under(prefix)
    },
    close() {},
  }
}
