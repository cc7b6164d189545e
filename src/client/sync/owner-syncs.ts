import type { BinText } from '../../core/definition/bin-text.ts'
import type { Definition } from '../../core/definition/definition.ts'
import type { Status, SyncResult } from '../client-bins.ts'
import type { Page } from '../page/page.ts'
import type { Edit } from '../replica/local-edits.ts'
import type { Side } from './owner-sync.ts'
import type { Sync } from './schedule.ts'
import type { UserSide } from './user-sync.ts'

/** What a page has of its visitor's and its user's server bins. */
export interface Sides {
  /** That of the visitor, and that of the user if somebody is logged in. */
  all(): readonly Side[]
  /** Where a bin is: what follows users is the visitor's as long as nobody is logged in. */
  of(definition: Definition): Side
  /** What a bin holds. */
  find(definition: Definition): BinText | undefined
  /** Makes an edit: visible at once, stored in the background. Resolves when it is stored. */
  edit(edit: Edit): Promise<void>
  /** What was pulled: cursors as the server names them. */
  cursors(): Readonly<Record<string, string>>
  /** Number of edits that are not answered for. */
  pendingCount(): number
  /** Where the syncs stand, as if they were one. */
  status(): Omit<Status, 'storage'>
  /**
   * Exchanges with the server, now.
   *
   * @throws {@link BinsError} `SYNC_FAILED`.
   */
  sync(): Promise<SyncResult>
  /** Exchanges if there is anybody, and news: these cursors are unknown, or none are given. */
  pull(cursors?: Readonly<Record<string, unknown>>): Promise<void>
}

/** Circumstances of {@link openSides}. */
export interface SidesOptions {
  /** The page. */
  readonly page: Page
  /** The visitor's side. */
  readonly visitor: Side
  /** The user's. */
  readonly user: UserSide
  /** Told of the sync that has something to send. */
  readonly onEdit: (sync: Sync) => void
}

/** What the server's names of a user's records begin with. */
const USER = 'user/'

/** Of several syncs, the first of these tells where they stand. */
const PHASES = ['syncing', 'waiting', 'paused', 'idle'] as const

/** Opens both sides as one. */
export function openSides({ page, visitor, user, onEdit }: SidesOptions): Sides {
  const { cookies } = page
  const of = ({ scope }: Definition) => (scope === 'user' && userSide()) || visitor
  /** What was edited while it was to be found out whose it is. */
  const drafts = new Map<string, { readonly kept: BinText | undefined }>()
  const pendingCount = () => all().reduce((count, { replica }) => count + replica.pending().count, 0)

  function all(): readonly Side[] {
    const its = userSide()
    return its ? [visitor, its] : [visitor]
  }

  /** The user's, if that is still who is logged in: any response may have said so, and not every browser tells of it. */
  function userSide(): Side | undefined {
    return user.isPresent() ? user.current : undefined
  }

  function find(definition: Definition): BinText | undefined {
    const draft = drafts.get(definition.name)
    if (draft) return draft.kept
    const { replica } = of(definition)
    // Just after a login, what the visitor had is not merged yet.
    const isMerged = replica === visitor.replica || replica.isPulled(definition)
    return replica.find(definition) ?? (isMerged ? undefined : visitor.replica.find(definition))
  }

  function make(edit: Edit): Promise<void> {
    const { replica, sync } = of(edit.definition)
    const stored = replica.edit(edit)
    onEdit(sync)
    return stored
  }

  function cursorsOf(side: Side): Array<[place: string, cursor: string]> {
    const prefix = side === visitor ? '' : USER
    return Object.entries(side.replica.cursors).map(([store, cursor]) => [prefix + store, cursor])
  }

  async function pullFor(side: Side, cursors: Readonly<Record<string, unknown>> | undefined): Promise<void> {
    const { replica, sync } = side
    const isNobody = replica.tag === '' && cookies.visitorTag() === null
    if (isNobody && replica.pending().count === 0 && sync.phase === 'idle') return
    // What is on its way may bring what there is to know.
    await sync.quiet()
    const known = new Map(cursorsOf(side))
    const isOwn = (place: string) => place.startsWith(USER) === (side !== visitor)
    const isNews =
      !cursors ||
      Object.entries(cursors).some(([place, cursor]) => isOwn(place) && known.get(place) !== cursor)
    if (isNews) await sync.now().catch(() => {})
  }

  return {
    all,
    of,
    pendingCount,

    find,

    edit(edit) {
      if (edit.definition.scope === 'visitor' || user.isPresent()) return make(edit)
      const { name } = edit.definition
      const shown = find(edit.definition) ?? null
      const draft = { kept: edit.compute(shown ?? undefined) }
      drafts.set(name, draft)
      // Nobody else's is what somebody edits who has just logged in.
      return Promise.resolve(user.follow()).then(() => {
        if (drafts.get(name) === draft) drafts.delete(name)
        return make({ ...edit, shown })
      })
    },

    cursors: () => Object.fromEntries(all().flatMap(cursorsOf)),

    status() {
      const syncs = all().map(({ sync }) => sync)
      const since = all().flatMap(({ replica }) => replica.pending().since ?? [])
      return {
        phase: PHASES.find((phase) => syncs.some((sync) => sync.phase === phase)) ?? 'idle',
        pending: pendingCount(),
        pendingSince: since.length > 0 ? Math.min(...since) : undefined,
        lastSyncedAt: visitor.sync.lastSyncedAt,
        problem: syncs.find(({ problem }) => problem)?.problem,
      }
    },

    async sync() {
      const following = user.follow()
      if (following) await following
      const results: SyncResult[] = []
      // The visitor first: what it has of a user's goes over to the user.
      for (const { sync } of all()) results.push(await sync.now())
      return {
        accepted: results.flatMap(({ accepted }) => accepted),
        merged: results.flatMap(({ merged }) => merged),
        superseded: results.flatMap(({ superseded }) => superseded),
        rejected: results.flatMap(({ rejected }) => rejected),
      }
    },

    async pull(cursors) {
      await Promise.all(all().map((side) => pullFor(side, cursors)))
    },
  }
}
