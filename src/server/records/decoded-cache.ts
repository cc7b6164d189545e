import type { Encoded } from '../../core/codec/codec.ts'
import { freeze } from '../../core/codec/freeze.ts'
import type { Reading } from '../../core/definition/bin-text.ts'
import type { Definition } from '../../core/definition/definition.ts'
import { type KeptText, readText } from '../../core/reader.ts'
import { openMemo } from './cache.ts'

/** Reads what is kept, and remembers it. */
export interface Readings {
  /** Reads what is kept for a definition. */
  read(definition: Definition, kept: KeptText): Reading
  /** Remembers a text that was made for the definition just now, since it is going to be read. Freezes its data. */
  expect(definition: Definition, own: Encoded): void
}

/** Most bytes that the remembered data of a server may take. */
const MAX_BYTES = 8 * 1_024 ** 2

/**
 * Remembers the data in texts for later requests, of whomever: data are frozen, and a schema has one answer to a text.
 * What could not be used is read anew each time.
 */
export function openReadings(): Readings {
  const memo = openMemo<Reading>(MAX_BYTES)

  function remember(scope: string, text: string, reading: Reading): Reading {
    if ('data' in reading && isShareable(text)) memo.set(scope, text, reading, bytesOf(text))
    return reading
  }

  return {
    read(definition, kept) {
      const { text, version, trusted } = kept
      const scope = scopeOf(definition, version, trusted)
      return memo.get(scope, text) ?? remember(scope, text, readText(definition, kept))
    },
    expect(definition, { text, data }) {
      const trusted = definition.storage !== 'cookie' || definition.browser !== 'write'
      remember(scopeOf(definition, definition.version, trusted), text, { data: freeze(data) })
    },
  }
}

/** Where a text means one thing. */
function scopeOf({ name }: Definition, version: number, trusted: boolean): string {
  return `${version}.${trusted}.${name}`
}

/**
 * Whether nothing in the data can be changed by anybody. A frozen Date, Map, Set or URL guards against mistakes only,
 * and one visitor must not see the mistakes made with another's data.
 */
function isShareable(text: string): boolean {
  return !text.includes('"meta"')
}

/** Bytes of a text with its data: Node 24 takes 3 for a character of ordinary data, and 22 for nothing but `{}`. */
function bytesOf(text: string): number {
  return 200 + 4 * text.length
}
