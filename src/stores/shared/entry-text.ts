import type { Stored } from '../store.ts'

/** Writes an entry as one text: version and expiry in a first line, the text below. */
export function formatEntry({ version, text, expires }: Stored): string {
  return `${version} ${expires}\n${text}`
}

/** Reads what {@link formatEntry} has written; `undefined` for anything else. */
export function parseEntry(content: string): Stored | undefined {
  const found = /^([1-9]\d{0,15}) (\d{1,16}|Infinity)\n/.exec(content)
  if (!found) return undefined
  const [head, version, expires] = found
  return { version: Number(version), text: content.slice(head.length), expires: Number(expires) }
}
