import type { BinText } from '../../core/definition/bin-text.ts'
import type { Definition, Definitions } from '../../core/definition/definition.ts'
import { absorb, type Outcome } from '../../core/sync/apply-answer.ts'
import { mergeBy } from '../../core/sync/merge.ts'
import {
  isMade,
  noteMade,
  offer,
  type PendingOp,
  pendingOf,
  type RejectedEdit,
  type Replica,
  recall,
  visible,
} from '../../core/sync/replica.ts'
import type { AnswerPart, WireOp } from '../../core/sync/wire.ts'
import type { Page } from '../page/page.ts'
import { openQueue } from '../table/optimistic-queue.ts'
import type { Rows } from '../table/rows.ts'
import { openLastWords } from './last-words.ts'
import { type Edit, isNewer, openPageEdits } from './local-edits.ts'
import { groupByStore, type Offer, type OfferLimits } from './offer.ts'
import { changesTo, parseReplica, REPLICAS, type ReplicaReading, tagsIn } from './replica-rows.ts'
import { openOwners } from './transfer.ts'
import { openComputations } from './update-log.ts'

/** This browser's copy of its visitor's server bins, shared by all tabs. */
export interface ClientReplica {
  /** What a bin holds, edits that are not stored yet included. */
  find(definition: Definition): BinText | undefined
  /** Makes an edit: visible at once, stored in the background. Resolves when it is stored. */
  edit(edit: Edit): Promise<void>
  /** Names of the bins that may hold data. */
  names(): string[]
  /** What was pulled: cursors by store. */
  readonly cursors: Readonly<Record<string, string>>
  /** Whether a bin's store was ever pulled. */
  isPulled(definition: Definition): boolean
  /** Tag of the owner whose replica this is; empty = a visitor that the server does not know yet. */
  readonly tag: string
  /**
   * Becomes the replica of another owner. Unsent edits come along from the visitor that was not known yet, and from one
   * that the server has never answered.
   */
  switchTo(tag: string): Promise<void>
  /** Forgets all bins and edits: at once, and for all tabs in the background. Resolves when that is stored. */
  clear(): Promise<void>
  /**
   * Leaves an owner that the server does not know any more, and becomes the replica of a visitor that it does not know
   * yet: with the edits that were made after the given time, and nothing else.
   */
  leave(before: number): Promise<void>
  /** Ops to send, by store, with the cursor to send along; written down before they are returned. */
  offer(options: OfferLimits): Promise<Offer>
  /** Ops of a page that goes away, stored or not; `undefined` if there are none, or if they cannot be written down. */
  lastOffer(options: OfferLimits): Offer | undefined
  /** Takes in a part of an answer to an offer; nothing, if it was the offer of another owner. */
  absorb(part: AnswerPart, offered: Offer): Promise<Array<{ bin: string; outcome: Outcome }>>
  /** Number of edits that are not answered for, and how long the oldest has been waiting, in ms. */
  pending(): { count: number; since: number | undefined }
  /** Whether the last edit of a bin is not answered for. */
  isPending(definition: Definition): boolean
  /** The last edit of a bin that the server refused. */
  rejected(bin: string): RejectedEdit | undefined
  /** Forgets a refused edit. */
  discard(bin: string): Promise<void>
  /** Resolves when every edit so far is stored or has failed. */
  flush(): Promise<void>
  /** Reads the rows again: another tab may have changed them. */
  reload(): Promise<void>
}

/** Circumstances of {@link openReplica}. */
export interface ReplicaOptions {
  /** Every bin of the application. */
  readonly definitions: Definitions
  /** Where the rows are. */
  readonly rows: Rows
  /** Takes the ids under which this page edits. Default: nobody asks for them. */
  readonly ownPages?: Set<string>
  /** Whether the rows are those of all tabs. Default: they are. */
  readonly isShared?: () => boolean
  /** What is needed to read rows. */
  readonly reading: ReplicaReading
  /** Tag of the owner; empty = none yet. */
  readonly tag: string
  /** Tag of the owner that the cookies speak of now; empty = none. Default: nobody asks them. */
  readonly presentTag?: () => string
  /** Whether an owner was cleared: nothing of it goes along to another one. Default: none was. */
  readonly isCleared?: (tag: string) => boolean
  /** The page. */
  readonly page: Page
  /** Told after each change of what bins hold. */
  readonly onChange: () => void
}

/** How long what another page has computed waits for that page, in ms. */
export const PATIENCE_MS = 3_000

/** Opens the replica of an owner. */
export async function openReplica(options: ReplicaOptions): Promise<ClientReplica> {
  const { definitions, rows, reading, page, onChange } = options
  const { isShared = () => true, isCleared = () => false, presentTag = () => '' } = options
  const { clock, newId } = page
  const pageId = newId()
  options.ownPages?.add(pageId)
  const computations = openComputations()
  const merge = mergeBy(definitions)
  const owners = openOwners(definitions, reading)
  const parse = (all: ReadonlyMap<string, unknown>, owner: string) => parseReplica(all, owner, reading)
  const lastWords = openLastWords(page.texts, definitions.cookie.prefix, pageId)
  await storeLastWords()
  const initial = await rows.load(REPLICAS)
  let { tag } = options
  /** Whose replica it was when it was stored last. */
  let storedTag = tag
  const queue = openQueue<Replica>({ initial: parse(initial, tag), transact, onChange })
  const edits = openPageEdits({ pageId, queue, computations, merge, clock })
  await gather(initial)

  /** Takes the edits along that were made when there was no visitor, or for one that is gone since. */
  async function gather(all: ReadonlyMap<string, unknown>): Promise<void> {
    for (const other of tagsIn(all)) {
      if (other === tag || isCleared(other) || !owners.mayCarry(all, { from: other, to: tag })) continue
      await moveTo(tag, (present) => owners.carry(present, { from: other, to: tag }))
    }
  }

  /**
   * Changes the stored replica in one transaction, on what the tabs have made of it by then. Whose it is is decided
   * inside: an edit that was waiting meanwhile belongs to the owner that the one before it has switched to.
   */
  async function transact(step: (replica: Replica) => Replica): Promise<Replica> {
    let owner = tag
    const isNobodys = tag === ''
    const after = await rows.change(REPLICAS, (all) => {
      const followed = isNobodys ? followFirst(all) : new Map<string, unknown>()
      owner = tag
      const present = new Map([...all, ...followed])
      return new Map([...followed, ...changesTo(present, owner, step(withoutLeft(parse(present, owner))))])
    })
    return noteStored(after, owner)
  }

  /** Nothing is edited for nobody once there is somebody: another page may have moved all that was there. */
  function followFirst(all: ReadonlyMap<string, unknown>): Map<string, unknown> {
    const to = presentTag()
    if (to === '') return new Map()
    tag = to
    computations.clear()
    return owners.carry(all, { from: '', to })
  }

  /** The replica that was stored. */
  function noteStored(all: ReadonlyMap<string, unknown>, owner: string): Replica {
    storedTag = owner
    return parse(all, owner)
  }

  /** A page that goes on without the other tabs leaves to them what they have taken from its last words. */
  function withoutLeft(replica: Replica): Replica {
    const count = isShared() ? 0 : lastWords.takeBack()
    return isMade(replica, pageId, count) ? replica : noteMade(replica, pageId, count)
  }

  /** Becomes the replica of another owner, in one transaction with what else that changes. */
  function moveTo(
    owner: string,
    changes: (all: ReadonlyMap<string, unknown>) => Map<string, unknown>,
  ): Promise<void> {
    return queue.replaceBy(async () => {
      const after = await rows.change(REPLICAS, (all) => {
        tag = owner
        return changes(all)
      })
      computations.clear()
      return noteStored(after, owner)
    })
  }

  return {
    find: ({ name }) => visible(queue.shown.rows.get(name), clock()),

    edit: edits.add,

    names: () => [...queue.shown.rows.keys()],

    isPulled: ({ store }) => queue.shown.meta.cursors[store] !== undefined,

    get cursors() {
      return queue.stored.meta.cursors
    },

    get tag() {
      return tag
    },

    switchTo(owner) {
      const former = tag
      return moveTo(owner, (all) => owners.follow(all, { from: former, to: owner }))
    },

    clear() {
      // Nobody is to know the next visitor by it.
      const client = newId()
      return queue.add({
        apply: ({ meta }) => ({ rows: new Map(), meta: { ...meta, client, cursors: {} } }),
      })
    },

    async leave(before) {
      const former = tag
      if (former !== '') await moveTo('', (all) => owners.carry(all, { from: former, to: '', after: before }))
    },

    async offer(limits) {
      let ops: WireOp[] = []
      let owner = tag
      await queue.change((replica) => {
        const offered = offer(replica, sendable(replica), { now: clock(), ...limits })
        ops = offered.ops
        owner = tag
        return offered.replica
      })
      const { client, cursors } = queue.stored.meta
      return { tag: owner, client, ops: groupByStore(ops, definitions), cursors }
    },

    async absorb(part, offered) {
      // Whoever has sent what this answers for may be gone.
      if (part.results.length > 0) await storeLastWords()
      let outcomes: Array<{ bin: string; outcome: Outcome }> = []
      await queue.change((replica) => {
        if (tag !== offered.tag) return replica
        const absorbed = absorb(replica, part, {
          now: clock(),
          sentCursor: offered.cursors[part.store],
          storeOf: (bin) => (definitions.knows(bin) ? definitions.find(bin).store : undefined),
          merge,
          recompute,
          mayHear: isRecent,
          knowsVersion: (bin, kept) => !definitions.knows(bin) || !isNewer(kept, definitions.find(bin)),
        })
        outcomes = absorbed.outcomes
        return absorbed.replica
      })
      computations.follow((bin) => queue.stored.rows.get(bin)?.op?.n)
      return outcomes
    },

    lastOffer(limits) {
      const { stored } = queue
      const { replica, ops } = offer(stored, own(stored), { now: clock(), ...limits })
      const { client, cursors } = stored.meta
      const sent = ops.flatMap(({ bin }) => {
        const op = replica.rows.get(bin)?.op
        return op && !stored.rows.get(bin)?.op?.offered ? [{ bin, op }] : []
      })
      // A page that is left with a transaction loses its place in the back/forward cache to others that wait for it.
      if (sent.length + edits.drafts.length > 0) {
        const words = {
          tag: storedTag,
          client,
          page: pageId,
          isShared: isShared(),
          sent,
          drafts: edits.drafts,
        }
        if (!lastWords.write(words)) return undefined
        // The page may live on: then they are written down as always.
        queue
          .change((present) => {
            // A newer edit may have taken the place of one that is on its way now.
            const waiting = sent.filter(({ bin }) => present.rows.get(bin)?.op)
            const recalled = waiting.reduce((before, { bin, op }) => recall(before, bin, op), present)
            return offer(recalled, own(recalled), { now: clock(), ...limits }).replica
          })
          .then(lastWords.erase, () => {})
      }
      return ops.length === 0
        ? undefined
        : { tag: storedTag, client, ops: groupByStore(ops, definitions), cursors }
    },

    pending: () => pendingOf(queue.shown, sendable(queue.shown)),

    isPending: ({ name }) => queue.shown.rows.get(name)?.op !== undefined,

    rejected: (bin) => queue.shown.rows.get(bin)?.rejected,

    discard: (bin) =>
      queue.change((replica) => {
        const row = replica.rows.get(bin)
        if (!row) return replica
        const { rejected: _, ...rest } = row
        return { ...replica, rows: new Map(replica.rows).set(bin, rest) }
      }),

    flush: () => queue.flush(),

    async reload() {
      let all: ReadonlyMap<string, unknown> = new Map()
      await storeLastWords()
      await queue.replaceBy(async () => {
        all = await rows.load(REPLICAS)
        return noteStored(all, tag)
      })
      await gather(all)
    },
  }

  /** What another page has computed, that page computes anew; unless it is gone, or does not answer. */
  function recompute(bin: string, op: PendingOp, seen: number, theirs: BinText | undefined) {
    const computed = computations.run(bin, { n: op.n, seen }, theirs)
    if (computed !== undefined || op.page === pageId) return computed
    return isRecent(op) ? 'elsewhere' : undefined
  }

  /** Whether an edit was made just now; the clock may have been set back since. */
  function isRecent({ at }: PendingOp): boolean {
    return Math.abs(clock() - at) < PATIENCE_MS
  }

  function storeLastWords(): Promise<void> {
    return lastWords.store(rows, { reading, isShared, merge, clock })
  }

  /** Bins that this version of the program would send. Edits of others wait for the version that knows them. */
  function sendable(replica: Replica): string[] {
    return [...replica.rows.keys()].filter((bin) => {
      const definition = definitions.knows(bin) ? definitions.find(bin) : undefined
      return definition?.storage === 'server' && definition.browser === 'write'
    })
  }

  /** Of those, the bins with edits that nobody but this page would send without a word, or that may be sent again. */
  function own(replica: Replica): string[] {
    return sendable(replica).filter((bin) => {
      const op = replica.rows.get(bin)?.op
      return op?.page === pageId || op?.offered
    })
  }
}
