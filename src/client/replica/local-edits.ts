import type { BinText } from '../../core/definition/bin-text.ts'
import type { Definition } from '../../core/definition/definition.ts'
import { BinsError } from '../../core/error.ts'
import { isMerged, type MergeBin } from '../../core/sync/merge.ts'
import { edit, isMade, keptOf, type Replica, visible, withRejected } from '../../core/sync/replica.ts'
import type { EditQueue } from '../table/optimistic-queue.ts'
import type { Draft } from './last-words.ts'
import type { Computations, Compute } from './update-log.ts'

/** One edit of a device or server bin. */
export interface Edit {
  /** The bin. */
  readonly definition: Definition
  /** Its new text. Pure: it runs on what this page shows, on what is stored, and after a conflict. */
  readonly compute: Compute
  /** Whether nothing may be overwritten that the text was not computed from. */
  readonly strict: boolean
  /** When it was made, in ms since the Unix epoch. */
  readonly at: number
  /** What the page showed of the bin, where that was somebody else's; `null` = nothing. Default: what is here. */
  readonly shown?: BinText | null
}

/** The edits that a page makes of server bins. */
export interface PageEdits {
  /** Makes an edit: visible at once, stored in the background. Resolves when it is stored. */
  add(edit: Edit): Promise<void>
  /** Edits of which it is not known yet that they are stored, in their order. */
  readonly drafts: readonly Draft[]
}

/** Circumstances of {@link openPageEdits}. */
export interface PageEditsOptions {
  /** Id of the page. */
  readonly pageId: string
  /** Makes them. */
  readonly queue: EditQueue<Replica>
  /** Notes how they were computed. */
  readonly computations: Computations
  /** Merges by the bin's rule. */
  readonly merge: MergeBin
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
}

/** Opens the edits of a page. */
export function openPageEdits({ pageId, queue, computations, merge, clock }: PageEditsOptions): PageEdits {
  const drafts = new Map<number, Draft>()
  let count = 0

  return {
    get drafts() {
      return [...drafts.values()]
    },

    add({ definition, compute, strict, at, shown }) {
      const { name, store } = definition
      count += 1
      const own = { count, bin: name, store, at, strict }
      /** What the edit made of what this page showed. */
      let draft: Draft | undefined
      const done = queue.add({
        apply(replica) {
          if (isMade(replica, pageId, own.count)) return replica
          const present = visible(replica.rows.get(name), clock())
          const made = compute(present)
          if (isNewer(present, definition)) return outdated(replica, definition, { kept: made, strict })
          // What another tab has stored, and this one has not shown yet, is merged as anybody else's edit.
          const seen = shown === undefined ? present : (shown ?? undefined)
          const { base, from: before } = draft ?? { base: seen, from: null }
          const isStale = !strict && present?.text !== base?.text
          const merged = isStale ? merge(name, { base, mine: made, theirs: present }) : undefined
          const kept = merged === undefined ? made : (merged ?? undefined)
          const from = isStale && merged === undefined ? before : undefined
          const after = edit(replica, name, { kept, at, strict, store, from, page: pageId, count: own.count })
          const on = after.rows.get(name)?.op?.from ?? null
          draft ??= { ...own, ...(seen ? { base: seen } : {}), from: on, ...keptOf(made) }
          return after
        },
        onApplied(before, { meta }) {
          const on = strict ? before.rows.get(name)?.op?.n : undefined
          // What was set is for the merge rule, if there is one: setting it once more would overwrite.
          const isOwn = strict || !isMerged(definition)
          if (isOwn && before.meta !== meta) computations.add(name, compute, { n: meta.last, on })
          else computations.forget(name)
        },
      })
      if (draft) drafts.set(own.count, draft)
      const forget = () => drafts.delete(own.count)
      done.then(forget, forget)
      return done
    },
  }
}

/** Whether a newer version of the program wrote what is kept. */
export function isNewer(kept: BinText | undefined, { version }: Definition): boolean {
  return kept !== undefined && kept.version > version
}

/** Refuses an edit that would overwrite what this version of the program cannot read. */
function outdated(
  replica: Replica,
  { name }: Definition,
  { kept, strict }: { kept: BinText | undefined; strict: boolean },
): Replica {
  const message = `A newer version of this program wrote bin ${JSON.stringify(name)}; reload the page.`
  if (strict) throw new BinsError('OUTDATED', message, { bin: name })
  return withRejected(replica, name, kept, message)
}
