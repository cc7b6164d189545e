import { absorb, type Outcome } from '../core/absorb.ts'
import type { BinText } from '../core/data.ts'
import type { Definition, Definitions } from '../core/definition.ts'
import { BinsError } from '../core/error.ts'
import { isMerged, mergeTexts } from '../core/merge.ts'
import {
  adopt,
  edit,
  isMade,
  keptOf,
  offer,
  type PendingOp,
  pendingOf,
  type RejectedEdit,
  type Replica,
  type ReplicaMeta,
  recall,
  visible,
  withRejected,
} from '../core/replica.ts'
import type { AnswerPart, WireOp } from '../core/wire.ts'
import { type Compute, openComputations } from './computations.ts'
import { type Draft, openLastWords } from './last-words.ts'
import { groupByStore, type Offer, type OfferLimits } from './offer.ts'
import type { Page } from './page.ts'
import { openQueue } from './queue.ts'
import { changesTo, dropped, parseReplica, REPLICAS, type ReplicaReading, tagsIn } from './replica-rows.ts'
import type { Rows } from './storages/rows.ts'

/** One edit of a server bin. */
export interface Edit {
  /** The bin. */
  readonly definition: Definition
  /** Its new text. Pure: it runs on what this page shows, on what is stored, and after a conflict. */
  readonly compute: Compute
  /** Whether nothing may be overwritten that the text was not computed from. */
  readonly strict: boolean
  /** When it was made, in ms since the Unix epoch. */
  readonly at: number
}

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
  pending(): { count: number; oldestMs: number }
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
  /** Whether the rows are those of all tabs. Default: they are. */
  readonly isShared?: () => boolean
  /** What is needed to read rows. */
  readonly reading: ReplicaReading
  /** Tag of the owner; empty = none yet. */
  readonly tag: string
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
  const { isShared = () => true, isCleared = () => false } = options
  const { clock, newId } = page
  const pageId = newId()
  const computations = openComputations()
  const parse = (all: ReadonlyMap<string, unknown>, owner: string) => parseReplica(all, owner, reading)
  const lastWords = openLastWords(page.texts, definitions.cookie.prefix, pageId)
  await lastWords.store(rows, { reading, isShared, merge, clock })
  /** Edits of which it is not known yet that they are stored. */
  const drafts = new Map<number, Draft>()
  let count = 0
  const initial = await rows.load(REPLICAS)
  let { tag } = options
  const queue = openQueue<Replica>({ initial: parse(initial, tag), transact, onChange })
  await gather(initial)

  /** Takes the edits along that were made when there was no visitor, or for one that is gone since. */
  async function gather(all: ReadonlyMap<string, unknown>): Promise<void> {
    for (const other of tagsIn(all)) {
      const isOurs = tag === '' || other === '' || isUnanswered(parse(all, other))
      if (isOurs && other !== tag && !isCleared(other) && hasEdits(all, other)) {
        await moveTo(tag, carryFrom(other))
      }
    }
  }

  /**
   * Changes the stored replica in one transaction, on what the tabs have made of it by then. Whose it is is decided
   * inside: an edit that was waiting meanwhile belongs to the owner that the one before it has switched to.
   */
  async function transact(step: (replica: Replica) => Replica): Promise<Replica> {
    let owner = tag
    const after = await rows.change(REPLICAS, (all) => {
      owner = tag
      return changesTo(all, owner, step(parse(all, owner)))
    })
    return parse(after, owner)
  }

  /** Whether there are edits that may go along to the present owner. */
  function hasEdits(all: ReadonlyMap<string, unknown>, owner: string): boolean {
    const { rows: its, meta } = parse(all, owner)
    return !meta.left && [...its.values()].some(({ op }) => op)
  }

  /** Becomes the replica of another owner, in one transaction with what else that changes. */
  function moveTo(
    owner: string,
    changes: (all: ReadonlyMap<string, unknown>, owner: string) => Map<string, unknown>,
  ) {
    return queue.replaceBy(async () => {
      const after = await rows.change(REPLICAS, (all) => {
        tag = owner
        return changes(all, owner)
      })
      computations.clear()
      return parse(after, owner)
    })
  }

  /** Lets edits that were made after the given time come along, and leaves nothing behind. */
  function carryFrom(former: string, after = Number.NEGATIVE_INFINITY) {
    return (all: ReadonlyMap<string, unknown>, owner: string) => {
      const { rows: left, meta } = parse(all, former)
      const recent = new Map([...left].filter(([, { op }]) => op && op.at > after))
      // An edit may come back to the visitor that it was made for.
      const rebase = (from: PendingOp['from']): PendingOp['from'] => {
        if (from?.owner !== owner) return from && { owner: former, ...from }
        const { owner: _, ...its } = from
        return its
      }
      const into = parse(all, owner)
      const { left: _, ...known } = into.meta
      // Where nobody was before, it goes on under its id: what may have been sent already is known by that.
      const client = known.last === 0 ? meta.client : known.client
      const adopted = adopt(
        { rows: into.rows, meta: { ...known, client } },
        { rows: recent, meta },
        { merge, rebase, isMerged: (bin) => definitions.knows(bin) && isMerged(definitions.find(bin)) },
      )
      return new Map([...dropped(all, former), ...changesTo(all, owner, adopted)])
    }
  }

  /** Leaves all where it is, for the case that the visitor comes back. */
  function changePlaces(former: string) {
    return (all: ReadonlyMap<string, unknown>, owner: string) => {
      return new Map([...marked(all, former, { left: true }), ...marked(all, owner, {})])
    }
  }

  function marked(all: ReadonlyMap<string, unknown>, owner: string, mark: Pick<ReplicaMeta, 'left'>) {
    const { rows: its, meta } = parse(all, owner)
    const { left: _, ...known } = meta
    return changesTo(all, owner, { rows: its, meta: { ...known, ...mark } })
  }

  return {
    find: ({ name }) => visible(queue.shown.rows.get(name), clock()),

    edit({ definition, compute, strict, at }) {
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
          const isStale = draft !== undefined && !strict && present?.text !== draft.base?.text
          const merged = isStale ? merge(name, draft?.base, made, present) : undefined
          const kept = merged === undefined ? made : (merged ?? undefined)
          const from = isStale && merged === undefined ? draft?.from : undefined
          const after = edit(replica, name, { kept, at, strict, store, from, page: pageId, count: own.count })
          const base = after.rows.get(name)?.op?.from ?? null
          draft ??= { ...own, ...(present ? { base: present } : {}), from: base, ...keptOf(made) }
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
      return moveTo(owner, (all) => {
        const isSame = former === '' || isUnanswered(parse(all, former))
        return isSame ? carryFrom(former)(all, owner) : changePlaces(former)(all, owner)
      })
    },

    clear() {
      // Nobody is to know the next visitor by it.
      const client = newId()
      return queue.add({
        apply: ({ meta }) => ({ rows: new Map(), meta: { ...meta, client, cursors: {} } }),
      })
    },

    async leave(before) {
      if (tag !== '') await moveTo('', carryFrom(tag, before))
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
      let outcomes: Array<{ bin: string; outcome: Outcome }> = []
      await queue.change((replica) => {
        if (tag !== offered.tag) return replica
        const absorbed = absorb(replica, part, {
          now: clock(),
          sentCursor: offered.cursors[part.store],
          storeOf: (bin) => (definitions.knows(bin) ? definitions.find(bin).store : undefined),
          merge,
          recompute,
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
      if (sent.length + drafts.size > 0) {
        const words = { tag, client, page: pageId, isShared: isShared(), sent, drafts: [...drafts.values()] }
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
      return ops.length === 0 ? undefined : { tag, client, ops: groupByStore(ops, definitions), cursors }
    },

    pending: () => pendingOf(queue.shown, sendable(queue.shown), clock()),

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
      await lastWords.store(rows, { reading, isShared, merge, clock })
      await queue.replaceBy(async () => {
        all = await rows.load(REPLICAS)
        return parse(all, tag)
      })
      await gather(all)
    },
  }

  /** What another page has computed, that page computes anew; unless it is gone, or does not answer. */
  function recompute(bin: string, op: PendingOp, seen: number, theirs: BinText | undefined) {
    const computed = computations.run(bin, { n: op.n, seen }, theirs)
    if (computed !== undefined || op.page === pageId) return computed
    // The clock may have been set back since.
    return Math.abs(clock() - op.at) < PATIENCE_MS ? 'elsewhere' : undefined
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

  function merge(
    bin: string,
    base: BinText | undefined,
    mine: BinText | undefined,
    theirs: BinText | undefined,
  ): BinText | null | undefined {
    // Another version of the program may have made it.
    if (!definitions.knows(bin)) return undefined
    const definition = definitions.find(bin)
    const text = mergeTexts(definition, { base, mine, theirs })
    return typeof text === 'string' ? { text, version: definition.version } : text
  }
}

/** Whether a newer version of the program wrote what is kept. */
function isNewer(kept: BinText | undefined, { version }: Definition): boolean {
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

/** Responses to requests without a cookie each make a visitor, and the last one stays: such a one never came to life. */
function isUnanswered({ meta }: Replica): boolean {
  return Object.keys(meta.cursors).length === 0
}
