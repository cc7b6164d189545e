import { type PendingOp, recall } from '../core/replica.ts'
import { changesTo, parseReplica, REPLICAS, type ReplicaReading } from './replica-rows.ts'
import type { Rows } from './storages/rows.ts'

/** An edit that a page had on its way to the server when it went away. */
export interface LastWord {
  /** Tag of the owner. */
  readonly tag: string
  /** Id of the replica. */
  readonly client: string
  /** Name of the bin. */
  readonly bin: string
  /** The edit. */
  readonly op: PendingOp
}

/**
 * What pages were sending when they went away. A page that is left has no time for IndexedDB, and yet an edit must be
 * written down before it is sent: nobody could tell otherwise what the server has made of it.
 */
export interface LastWords {
  /** Writes this page's down, at once. Tells whether that worked. */
  write(words: readonly LastWord[]): boolean
  /** Forgets this page's: they are stored as edits always are. */
  erase(): void
  /** Stores all pages' words as edits, and forgets them. */
  store(rows: Rows, reading: ReplicaReading): Promise<void>
}

/** Opens what pages were sending when they went away. */
export function openLastWords(texts: Storage | undefined, prefix: string, pageId: string): LastWords {
  const family = `breadbin-${prefix}.left.`

  return {
    write(words) {
      try {
        texts?.setItem(family + pageId, JSON.stringify(words))
        return texts !== undefined
      } catch {
        // Full, or forbidden since.
        return false
      }
    },
    erase: () => texts?.removeItem(family + pageId),
    async store(rows, reading) {
      const keys = Object.keys(texts ?? {}).filter((key) => key.startsWith(family))
      const words = keys.flatMap((key) => parse(texts?.getItem(key) ?? '[]'))
      if (words.length > 0) await rows.change(REPLICAS, (all) => changesWith(all, words, reading))
      for (const key of keys) texts?.removeItem(key)
    },
  }
}

/** The rows to put so that the words are edits of their replicas; not those of a replica that is not there any more. */
function changesWith(
  all: ReadonlyMap<string, unknown>,
  words: readonly LastWord[],
  reading: ReplicaReading,
): Map<string, unknown> {
  const changes = new Map<string, unknown>()
  for (const tag of new Set(words.map((word) => word.tag))) {
    const own = words.filter((word) => word.tag === tag)
    // Nothing at all may have been stored of the first page's replica.
    const replica = parseReplica(all, tag, { ...reading, newId: () => own[0]?.client ?? reading.newId() })
    const heard = own.filter(({ client }) => client === replica.meta.client)
    const recalled = heard.reduce((before, { bin, op }) => recall(before, bin, op), replica)
    for (const [key, row] of changesTo(all, tag, recalled)) changes.set(key, row)
  }
  return changes
}

function parse(text: string): LastWord[] {
  try {
    const words: unknown = JSON.parse(text)
    return Array.isArray(words) ? words.filter(isWord) : []
  } catch {
    return []
  }
}

function isWord(word: Partial<LastWord> | null): word is LastWord {
  return (
    typeof word?.tag === 'string' &&
    typeof word.client === 'string' &&
    typeof word.bin === 'string' &&
    typeof word.op?.n === 'number'
  )
}
