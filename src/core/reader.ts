import type { Encoded } from './codec/codec.ts'
import { freeze } from './codec/freeze.ts'
import { type BinText, fallback, fromTrusted, fromUntrusted, type Reading } from './definition/bin-text.ts'
import type { Definition, Definitions } from './definition/definition.ts'
import { type OnEvent, report } from './event.ts'

/** A text as a storage holds it. */
export interface KeptText extends BinText {
  /** Whether nobody but us can have written it. */
  readonly trusted: boolean
}

/** Reads bins from wherever they are kept, and remembers what it decoded. */
export interface Reader {
  /** Data of a bin, deep-frozen, or its default; the same object until its text changes. */
  get(name: string): unknown
  /**
   * Takes the data of a text that was made for a definition just now, and may become what a bin holds: then it is not read
   * again. Freezes them.
   */
  expect(definition: Definition, own: Encoded): void
  /** Data of any text, or the default. Remembers nothing. */
  read(definition: Definition, kept: KeptText | undefined): unknown
  /** Whether a bin holds data of its own: also data that is too new for this definition. */
  has(name: string): boolean
  /** Whether what is kept was written by a newer version of the definition. */
  isOutdated(definition: Definition): boolean
  /** Calls a listener at once and when {@link Reader.changed} finds another text. */
  subscribe(name: string, listener: (data: unknown) => void): () => void
  /** Tells the listeners of a bin, or of all bins, if its text is another one now. */
  changed(name?: string): void
}

/** Options of {@link openReader}. */
export interface ReaderOptions {
  /** Reads what is kept for a definition. Default {@link readText}. */
  readonly read?: (definition: Definition, kept: KeptText) => Reading
  /** Receives what is not for a visitor's eyes. */
  readonly onEvent?: OnEvent | undefined
}

interface Entry extends BinText {
  readonly reading: Reading
}

interface Subscription {
  readonly listener: (data: unknown) => void
  text: string | undefined
}

/** Reads what is kept for a definition, as strictly as where it comes from asks for. */
export function readText(definition: Definition, kept: KeptText): Reading {
  return kept.trusted ? fromTrusted(definition, kept) : fromUntrusted(definition, kept)
}

/**
 * Opens a reader.
 *
 * @param find What is kept for a definition at present; absent and expired are `undefined`.
 */
export function openReader(
  definitions: Definitions,
  find: (definition: Definition) => KeptText | undefined,
  { read = readText, onEvent }: ReaderOptions = {},
): Reader {
  const entries = new Map<string, Entry>()
  /** By name, what was made last. It may never come to be what the bin holds, so it does not take the entry's place. */
  const expected = new Map<string, Entry>()
  const fallbacks = new Map<string, unknown>()
  const subscriptions = new Map<string, Set<Subscription>>()

  function entryOf(name: string): Entry | undefined {
    const definition = definitions.find(name)
    const kept = find(definition)
    if (!kept) {
      entries.delete(name)
      return undefined
    }
    const { text, version } = kept
    const entry = remembered(name, kept) ?? { text, version, reading: readOrReport(definition, kept) }
    entries.set(name, entry)
    return entry
  }

  function remembered(name: string, kept: BinText): Entry | undefined {
    const both = [entries.get(name), expected.get(name)]
    return both.find((entry) => entry?.text === kept.text && entry.version === kept.version)
  }

  function readOrReport(definition: Definition, kept: KeptText): Reading {
    const reading = read(definition, kept)
    if ('problem' in reading) {
      const { problem: reason, cause } = reading
      report(onEvent, { type: 'unreadable', bin: definition.name, reason, cause })
    }
    return reading
  }

  function fallbackOf(name: string): unknown {
    if (!fallbacks.has(name)) fallbacks.set(name, fallback(definitions.find(name)))
    return fallbacks.get(name)
  }

  function get(name: string): unknown {
    const reading = entryOf(name)?.reading
    return reading && 'data' in reading ? reading.data : fallbackOf(name)
  }

  function readableText(name: string): string | undefined {
    const entry = entryOf(name)
    return entry && 'data' in entry.reading ? entry.text : undefined
  }

  function notify(name: string, of: Iterable<Subscription>): void {
    for (const subscription of of) {
      const text = readableText(name)
      if (text === subscription.text) continue
      subscription.text = text
      subscription.listener(get(name))
    }
  }

  return {
    get,
    expect({ name, version }, { text, data }) {
      expected.set(name, { text, version, reading: { data: freeze(data) } })
    },
    read(definition, kept) {
      const reading = kept && (remembered(definition.name, kept)?.reading ?? readOrReport(definition, kept))
      return reading && 'data' in reading ? reading.data : fallbackOf(definition.name)
    },
    has(name) {
      const reading = entryOf(name)?.reading
      return reading !== undefined && ('data' in reading || reading.problem === 'outdated')
    },
    isOutdated(definition) {
      const kept = find(definition)
      return kept !== undefined && kept.version > definition.version
    },
    subscribe(name, listener) {
      const subscription = { listener, text: readableText(name) }
      const those = subscriptions.get(name) ?? new Set()
      subscriptions.set(name, those.add(subscription))
      listener(get(name))
      return () => {
        those.delete(subscription)
      }
    },
    changed(name) {
      const names = name === undefined ? [...subscriptions.keys()] : [name]
      // Not a copy: a subscription that one of the listeners ends is over.
      for (const each of names) notify(each, subscriptions.get(each) ?? [])
    },
  }
}
