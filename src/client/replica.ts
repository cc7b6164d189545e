import { absorb, type Outcome } from '../core/absorb.ts'
import type { BinText } from '../core/data.ts'
import type { Definition, Definitions } from '../core/definition.ts'
import { mergeTexts } from '../core/merge.ts'
import {
  adopt,
  EMPTY_ROW,
  edit,
  offer,
  pendingOf,
  type RejectedEdit,
  type Replica,
  type ReplicaMeta,
  type ReplicaRow,
  visible,
} from '../core/replica.ts'
import type { AnswerPart, WireOp } from '../core/wire.ts'
import { openQueue } from './queue.ts'
import type { Rows } from './storages/rows.ts'

/** Computes what an edit makes of a bin: from what is there, or regardless of it. */
export type Compute = (kept: BinText | undefined) => BinText | undefined

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
  /** Whether a bin's store was ever pulled. */
  isPulled(definition: Definition): boolean
  /** Tag of the owner whose replica this is; empty = a visitor that the server does not know yet. */
  readonly tag: string
  /** Becomes the replica of another owner. Unsent edits of the visitor that was not known yet come along. */
  switchTo(tag: string): Promise<void>
  /** Ops to send, by store, with the cursor to send along; written down before they are returned. */
  offer(options: { maxOps: number; maxBytes: number }): Promise<Offer>
  /** Takes in a part of an answer to an offer. */
  absorb(part: AnswerPart, offered: Offer): Promise<Array<{ bin: string; outcome: Outcome }>>
  /** Forgets everything but edits made after the given time. */
  forget(before: number): Promise<void>
  /** Number of edits that are not answered for, and how long the oldest has been waiting, in ms. */
  pending(): { count: number; oldestMs: number }
  /** The last edit of a bin that the server refused. */
  rejected(bin: string): RejectedEdit | undefined
  /** Forgets a refused edit. */
  discard(bin: string): Promise<void>
  /** Resolves when every edit so far is stored or has failed. */
  flush(): Promise<void>
  /** Reads the rows again: another tab may have changed them. */
  reload(): Promise<void>
}

/** What was offered to the server. */
export interface Offer {
  /** Id of this replica. */
  readonly client: string
  /** Ops by store. */
  readonly ops: ReadonlyMap<string, WireOp[]>
  /** Cursor by store. */
  readonly cursors: Readonly<Record<string, string>>
}

/** Circumstances of {@link openReplica}. */
export interface ReplicaOptions {
  /** Every bin of the application. */
  readonly definitions: Definitions
  /** Where the rows are. */
  readonly rows: Rows
  /** Tag of the owner; empty = none yet. */
  readonly tag: string
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** A fresh random id. */
  readonly newId: () => string
  /** Id of the browser session. */
  readonly session: () => string | undefined
  /** Told after each change of what bins hold. */
  readonly onChange: () => void
}

/** Opens the replica of an owner. */
export async function openReplica(options: ReplicaOptions): Promise<ClientReplica> {
  const { definitions, rows, clock, newId, onChange } = options
  /** The computations behind a waiting op, as long as this page knows all of them. */
  const histories = new Map<string, { n: number; computes: Compute[] }>()
  let tag = options.tag
  const queue = openQueue<Replica, Edit>({
    initial: await load(tag),
    apply: applyEdit,
    onApplied: remember,
    transact: (step) => transact(step),
    onChange,
  })

  async function load(owner: string): Promise<Replica> {
    return parse(await rows.load(prefixOf(owner)), owner)
  }

  function parse(all: ReadonlyMap<string, unknown>, owner: string): Replica {
    const prefix = prefixOf(owner)
    const meta = all.get(prefix)
    const session = options.session()
    const isSameSession = isMeta(meta) && meta.session === session
    const live = new Map<string, ReplicaRow>()
    for (const [key, row] of all) {
      const bin = key.slice(prefix.length)
      if (key === prefix || !isRow(row)) continue
      if (!isSameSession && definitions.knows(bin) && definitions.find(bin).maxAge === 'session') continue
      live.set(bin, row)
    }
    const known = isMeta(meta) ? meta : { v: 1 as const, client: newId(), last: 0, cursors: {} }
    const { session: _, ...rest } = known
    return { rows: live, meta: session === undefined ? rest : { ...rest, session } }
  }

  /** Changes the stored replica in one transaction, on what the tabs have made of it by then. */
  async function transact(step: (replica: Replica) => Replica, owner = tag): Promise<Replica> {
    const prefix = prefixOf(owner)
    const after = await rows.change(prefix, (all) => {
      const before = parse(all, owner)
      const next = step(before)
      const changes = new Map<string, unknown>()
      for (const [bin, row] of next.rows)
        if (before.rows.get(bin) !== row) changes.set(`${prefix}${bin}`, row)
      for (const key of all.keys()) {
        const isOurs = key === prefix || isRow(all.get(key))
        if (isOurs && key !== prefix && !next.rows.has(key.slice(prefix.length))) changes.set(key, undefined)
      }
      changes.set(prefix, next.meta)
      return changes
    })
    return parse(after, owner)
  }

  function applyEdit(replica: Replica, { definition, compute, strict, at }: Edit): Replica {
    const { name, store } = definition
    const kept = compute(visible(replica.rows.get(name), clock()))
    return edit(replica, name, { kept, at, strict, store })
  }

  function remember({ definition: { name }, compute, strict }: Edit, before: Replica, after: Replica): void {
    const history = histories.get(name)
    const previous = before.rows.get(name)?.op?.n
    const n = after.meta.last
    if (!strict || previous === undefined) histories.set(name, { n, computes: [compute] })
    else if (history?.n === previous) histories.set(name, { n, computes: [...history.computes, compute] })
    else histories.delete(name)
  }

  /** Runs the computations of this page on what is kept now; `undefined` if the page does not know them all. */
  function recompute(bin: string, n: number, theirs: BinText | undefined): BinText | null | undefined {
    const history = histories.get(bin)
    if (history?.n !== n) return undefined
    try {
      return history.computes.reduce<BinText | undefined>((kept, compute) => compute(kept), theirs) ?? null
    } catch {
      return undefined
    }
  }

  return {
    find: ({ name }) => visible(queue.shown.rows.get(name), clock()),

    edit: (one) => queue.add(one),

    isPulled: ({ store }) => queue.shown.meta.cursors[store] !== undefined,

    get tag() {
      return tag
    },

    async switchTo(owner) {
      await queue.flush()
      const former = tag
      const unsent = former === '' ? queue.stored : undefined
      const replica = await transact((own) => (unsent ? adopt(own, unsent) : own), owner)
      if (unsent) await transact((own) => ({ ...own, rows: new Map() }), former)
      tag = owner
      histories.clear()
      queue.replace(replica)
    },

    async offer(limits) {
      let ops: WireOp[] = []
      await queue.change((replica) => {
        const offered = offer(replica, replica.rows.keys(), { now: clock(), ...limits })
        ops = offered.ops
        return offered.replica
      })
      const { client, cursors } = queue.stored.meta
      return { client, ops: groupByStore(ops), cursors }
    },

    async absorb(part, { cursors }) {
      let outcomes: Array<{ bin: string; outcome: Outcome }> = []
      const recomputed = new Set<string>()
      await queue.change((replica) => {
        recomputed.clear()
        const absorbed = absorb(replica, part, {
          now: clock(),
          sentCursor: cursors[part.store],
          storeOf: (bin) => (definitions.knows(bin) ? definitions.find(bin).store : undefined),
          merge,
          recompute(bin, n, theirs) {
            recomputed.add(bin)
            return recompute(bin, n, theirs)
          },
        })
        outcomes = absorbed.outcomes
        return absorbed.replica
      })
      for (const [bin, history] of histories) {
        const op = queue.stored.rows.get(bin)?.op
        if (!op) histories.delete(bin)
        else if (recomputed.has(bin)) history.n = op.n
      }
      return outcomes
    },

    async forget(before) {
      await queue.change(({ rows: all, meta }) => {
        const kept = [...all].filter(([, { op }]) => op && op.at > before)
        const renewed = kept.map(
          ([bin, { op }]) => [bin, { ...EMPTY_ROW, op: op && { ...op, from: null } }] as const,
        )
        // Only rows with an op were kept.
        return { meta: { ...meta, cursors: {} }, rows: new Map(renewed) as Replica['rows'] }
      })
      histories.clear()
    },

    pending: () => pendingOf(queue.shown, clock()),

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
      await queue.flush()
      queue.replace(await load(tag))
    },
  }

  function groupByStore(ops: readonly WireOp[]): Map<string, WireOp[]> {
    const groups = new Map<string, WireOp[]>()
    for (const op of ops) {
      const { store } = definitions.find(op.bin)
      groups.set(store, [...(groups.get(store) ?? []), op])
    }
    return groups
  }

  function merge(
    bin: string,
    base: BinText | undefined,
    mine: BinText | undefined,
    theirs: BinText | undefined,
  ): BinText | null | undefined {
    const definition = definitions.find(bin)
    const text = mergeTexts(definition, { base, mine, theirs })
    return typeof text === 'string' ? { text, version: definition.version } : text
  }
}

/** What the keys of an owner's rows begin with; it is itself the key of the meta row. */
function prefixOf(tag: string): string {
  return `s/${tag === '' ? 'new' : tag}/`
}

function isRow(value: unknown): value is ReplicaRow {
  return isObject(value) && value.v === 1 && Array.isArray(value.sent)
}

function isMeta(value: unknown): value is ReplicaMeta {
  return isObject(value) && value.v === 1 && typeof value.client === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
