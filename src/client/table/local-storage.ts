import type { Rows } from './rows.ts'

/**
 * Keeps rows in the browser's localStorage, as JSON: where its IndexedDB does not work. Other tabs may write in between:
 * what must not be shared without a transaction, this page keeps for itself.
 *
 * @param isOwn Whether a key is of that kind.
 */
export function textRows(texts: Storage, name: string, isOwn: (key: string) => boolean): Rows {
  const own = new Map<string, unknown>()
  const family = `${name}/`

  function under(prefix: string): Map<string, unknown> {
    const rows = new Map([...own].filter(([key]) => key.startsWith(prefix)))
    for (const key of Object.keys(texts)) {
      if (key.startsWith(family + prefix)) rows.set(key.slice(family.length), parse(texts.getItem(key)))
    }
    return rows
  }

  return {
    async load(prefix) {
      return under(prefix)
    },
    async change(prefix, step) {
      for (const [key, row] of step(under(prefix))) {
        if (isOwn(key)) own.set(key, row)
        else if (row === undefined) texts.removeItem(family + key)
        else texts.setItem(family + key, JSON.stringify(row))
        if (row === undefined) own.delete(key)
      }
      return under(prefix)
    },
    close() {},
  }
}

/** JSON has no `Infinity`: a row that never expires. */
function parse(text: string | null): unknown {
  return JSON.parse(text ?? 'null', (key, value) => (key === 'expires' && value === null ? Infinity : value))
}
