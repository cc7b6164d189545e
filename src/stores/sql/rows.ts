import type { Stored } from '../store.ts'

/** A row of the table in which a store keeps its entries, as clients answer it: big integers come in many shapes. */
export interface Row {
  readonly key: string | Uint8Array
  readonly version: number | bigint | string
  readonly expires: number | bigint | string
  readonly text: string | Uint8Array
}

/** What the column `expires` says of an entry that never expires: SQL has no integer for `Infinity`. */
const NEVER = Number.MAX_SAFE_INTEGER

/** Makes of the expiry of an entry what the column holds. */
export function fromExpires(expires: number): number {
  return Math.min(expires, NEVER)
}

/** Makes an entry of a row. */
export function toStored({ version, text, expires }: Omit<Row, 'key'>): Stored {
  return {
    version: Number(version),
    text: toText(text),
    expires: Number(expires) === NEVER ? Infinity : Number(expires),
  }
}

/** Makes a text of what a column holds; some clients answer its bytes. */
export function toText(value: string | Uint8Array): string {
  return typeof value === 'string' ? value : Buffer.from(value).toString()
}
