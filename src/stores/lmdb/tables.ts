import type { Stored } from '../../server/store.ts'
import { formatEntry, parseEntry } from '../shared/entry-text.ts'
import type { Environment } from './environment.ts'

/** Entries by key, and keys by expiry. To be changed in a transaction alone. */
export interface Tables {
  get(key: string): Stored | undefined
  put(key: string, next: Stored): void
  remove(key: string): boolean
  /** At most `limit` keys of entries that have expired. */
  expired(now: number, limit: number): string[]
  /** At most `limit` entries behind a key. */
  after(key: string, limit: number): Array<[string, Stored]>
}

/** Bytes of a time in front of a key. */
const TIME_BYTES = 8

/** Opens the two databases of a store in an environment. */
export function openTables(environment: Environment, name: string): Tables {
  const entries = environment.openDB(name)
  const expiries = environment.openDB(`${name}_expires`)

  function get(key: string): Stored | undefined {
    return toStored(entries.get(toBytes(key)))
  }

  function removeExpiry(key: string, { expires }: Stored): void {
    if (expires !== Infinity) expiries.removeSync(toTimedKey(expires, key))
  }

  return {
    get,

    put(key, next) {
      const former = get(key)
      if (former) removeExpiry(key, former)
      entries.putSync(toBytes(key), formatEntry(next))
      if (next.expires !== Infinity) expiries.putSync(toTimedKey(next.expires, key), '')
    },

    remove(key) {
      const former = get(key)
      if (!former) return false
      removeExpiry(key, former)
      return entries.removeSync(toBytes(key))
    },

    expired(now, limit) {
      const range = expiries.getRange({ end: toTimedKey(now + 1, ''), limit })
      return Array.from(range, ({ key }) => toText(key.subarray(TIME_BYTES)))
    },

    after(key, limit) {
      const range = entries.getRange({ start: toBytes(key), exclusiveStart: true, limit })
      return [...range].flatMap(({ key: bytes, value }): Array<[string, Stored]> => {
        const stored = toStored(value)
        return stored ? [[toText(bytes), stored]] : []
      })
    },
  }
}

/** Keys in order of their time. */
function toTimedKey(expires: number, key: string): Uint8Array {
  const time = Buffer.alloc(TIME_BYTES)
  time.writeBigUInt64BE(BigInt(expires))
  return Buffer.concat([time, toBytes(key)])
}

function toBytes(key: string): Uint8Array {
  return Buffer.from(key)
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}

function toStored(value: unknown): Stored | undefined {
  return typeof value === 'string' ? parseEntry(value) : undefined
}
