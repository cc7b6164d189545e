import type { BinText } from '../../core/definition/bin-text.ts'
import type { MergeBin } from '../../core/sync/merge.ts'
import {
  edit,
  isMade,
  noteMade,
  type PendingOp,
  type Replica,
  recall,
  visible,
  withRejected,
} from '../../core/sync/replica.ts'
import type { Rows } from '../table/rows.ts'
import { changesTo, parseReplica, REPLICAS, type ReplicaReading, tagsIn } from './replica-rows.ts'

/** What a page has to say of its edits when it goes away. */
export interface PageWords {
  /** Tag of the owner. */
  readonly tag: string
  /** Id of the replica. */
  readonly client: string
  /** Id of the page. */
  readonly page: string
  /** Whether its rows are those of all tabs; else they were its own, and end with it. */
  readonly isShared: boolean
  /** Stored edits that it sends now, without having written down that it does. */
  readonly sent: ReadonlyArray<{ readonly bin: string; readonly op: PendingOp }>
  /** Edits of which it does not know whether they are stored, in their order. */
  readonly drafts: readonly Draft[]
}

/** What an edit made of a bin. */
export interface Draft {
  /** Which of the page's edits it is, from 1 on. */
  readonly count: number
  /** Name of the bin. */
  readonly bin: string
  /** Name of its store. */
  readonly store: string
  /** What the page showed of the bin before; left out if that was nothing. */
  readonly base?: BinText
  /** What it was made on, as far as the server knows it. */
  readonly from: PendingOp['from']
  /** What it made; left out of a deletion. */
  readonly kept?: BinText
  /** When it was made, in ms since the Unix epoch. */
  readonly at: number
  /** Whether nothing may be overwritten with it that it was not computed from. */
  readonly strict: boolean
}

/**
 * What pages had to say of their edits when they went away. A page that is left has no time for IndexedDB, and yet an
 * edit must be written down as sent before it is: nobody could tell otherwise what the server has made of it.
 */
export interface LastWords {
  /** Writes this page's down, at once. Tells whether that worked. */
  write(words: PageWords): boolean
  /** Forgets this page's: all of it is stored as it always is. */
  erase(): void
  /**
   * Takes this page's back, which goes on without the other tabs.
   *
   * @returns Up to which of its edits it comes too late: others store them.
   */
  takeBack(): number
  /** Stores all pages' words, and forgets them. */
  store(rows: Rows, options: StoreOptions): Promise<void>
}

/** Circumstances of {@link LastWords.store}. */
export interface StoreOptions {
  /** What is needed to read rows of replicas. */
  readonly reading: ReplicaReading
  /** Whether the rows are those of all tabs. */
  readonly isShared: () => boolean
  /** Merges by the bin's rule. */
  readonly merge: MergeBin
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
}

/** Ends the key of words that a page is about to store. */
const TAKEN = '/'

/** Opens what pages had to say when they went away. */
export function openLastWords(texts: Storage | undefined, prefix: string, pageId: string): LastWords {
  const family = `breadbin-${prefix}.left.`
  const ownKey = family + pageId
  /** Up to which of its edits this page has left them to all tabs, and up to which others have taken them. */
  let left = 0
  let taken = 0

  /** From now on it is too late to take them back. */
  function take(key: string, text: string): string {
    if (key === ownKey || key.endsWith(TAKEN)) return key
    try {
      texts?.setItem(key + TAKEN, text)
    } catch {
      // Full.
      return key
    }
    texts?.removeItem(key)
    return key + TAKEN
  }

  return {
    write(words) {
      try {
        texts?.setItem(ownKey, JSON.stringify(words))
        if (words.isShared) left = words.drafts.at(-1)?.count ?? 0
        return texts !== undefined
      } catch {
        // Full, or forbidden since.
        return false
      }
    },
    erase() {
      left = 0
      texts?.removeItem(ownKey)
    },
    takeBack() {
      if (left > taken && texts?.getItem(ownKey) === null) taken = left
      else if (left > 0) texts?.removeItem(ownKey)
      left = 0
      return taken
    },
    async store(rows, options) {
      const keys = Object.keys(texts ?? {}).filter((key) => key.startsWith(family))
      let said = keys.map((key) => ({ key, text: texts?.getItem(key) ?? '' }))
      if (said.some(({ text }) => parse(text).length > 0)) {
        await rows.change(REPLICAS, (all) => {
          said = said
            // What concerns the replica of all tabs waits until that can be read again.
            .filter(({ text }) => options.isShared() || !parse(text)[0]?.isShared)
            .filter(({ key, text }) => texts?.getItem(key) === text)
            .map(({ key, text }) => ({ key: take(key, text), text }))
          const words = said.flatMap(({ text }) => parse(text))
          return changesWith(all, words, options)
        })
      }
      // A page that lives on may have had more to say since.
      for (const { key, text } of said) if (texts?.getItem(key) === text) texts.removeItem(key)
    },
  }
}

/** The rows to put so that all that was said is in them; nothing of a replica that is not there any more. */
function changesWith(
  all: ReadonlyMap<string, unknown>,
  words: readonly PageWords[],
  options: StoreOptions,
): Map<string, unknown> {
  const { reading } = options
  const changes = new Map<string, unknown>()
  for (const { tag, client, page, sent, drafts } of words) {
    const present = new Map([...all, ...changes])
    // A visitor that was not known then may be known since; or nothing at all may have been stored.
    const places = [...tagsIn(present), tag]
    const read = (owner: string) => parseReplica(present, owner, { ...reading, newId: () => client })
    const owner = places.find((one) => read(one).meta.client === client)
    if (owner === undefined) continue
    const recalled = sent.reduce((before, { bin, op }) => recall(before, bin, op), read(owner))
    const unmade = drafts.filter(({ count }) => !isMade(recalled, page, count))
    const made = unmade.reduce((before, draft) => make(before, draft, page, options), recalled)
    for (const [key, row] of changesTo(present, owner, made)) changes.set(key, row)
  }
  return changes
}

/** Makes an edit that was not stored, on what is here now. */
function make(
  replica: Replica,
  { count, bin, store, base, from, kept, at, strict }: Draft,
  page: string,
  { merge, clock }: StoreOptions,
): Replica {
  const theirs = visible(replica.rows.get(bin), clock())
  const isStale = theirs?.text !== base?.text
  const merged = isStale ? merge(bin, { base, mine: kept, theirs }) : undefined
  if (isStale && strict && merged === undefined) {
    const message = 'the bin holds data that this edit was not made on'
    return noteMade(withRejected(replica, bin, kept, message), page, count)
  }
  return edit(replica, bin, {
    kept: merged === undefined ? kept : (merged ?? undefined),
    from: isStale && merged === undefined ? from : undefined,
    at,
    strict,
    store,
    page,
    count,
  })
}

function parse(text: string): PageWords[] {
  try {
    const words: Partial<PageWords> | null = JSON.parse(text)
    return isWords(words) ? [words] : []
  } catch {
    return []
  }
}

function isWords(words: Partial<PageWords> | null): words is PageWords {
  return (
    typeof words?.tag === 'string' &&
    typeof words.client === 'string' &&
    typeof words.page === 'string' &&
    typeof words.isShared === 'boolean' &&
    Array.isArray(words.sent) &&
    Array.isArray(words.drafts)
  )
}
