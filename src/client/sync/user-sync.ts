import { isUserTag } from '../../core/cookie/tags.ts'
import { report } from '../../core/event.ts'
import type { Logout } from '../client-bins.ts'
import type { Clearance } from '../replica/clear-marker.ts'
import {
  changesTo,
  dropped,
  parseReplica,
  REPLICAS,
  type ReplicaReading,
  tagsIn,
} from '../replica/replica-rows.ts'
import { openSide, type Side, type SideParts } from './owner-sync.ts'

/** The side of the user who is logged in. */
export interface UserSide {
  /** It; `undefined` as long as nobody is, or there is nothing of a user's that the browser may see. */
  readonly current: Side | undefined
  /** Whether it is the side of whoever the cookies speak of. */
  isPresent(): boolean
  /**
   * Goes over to the user that the cookies speak of, if that is another one. Nothing is left here of one who is gone, but
   * edits that are to wait. Nothing to wait for where no bin follows users.
   */
  follow(): Promise<void> | undefined
}

/** Circumstances of {@link openUserSide}. */
export interface UserSideOptions extends SideParts {
  /** Stores in which the browser may see bins of users. */
  readonly stores: readonly string[]
  /** What becomes of edits that were not sent. */
  readonly logout: Logout
  /** Told when it has gone over. */
  readonly onFollowed: () => void
}

/** Users are not cleared by a browser. */
const NO_CLEARANCE: Clearance = {
  tag: null,
  isPending: false,
  isForgotten: false,
  async set() {},
  async reload() {},
}

/** Prepares the side of a user: nothing is read before {@link UserSide.follow}. */
export function openUserSide({ stores, logout, onFollowed, ...parts }: UserSideOptions): UserSide {
  const { page, rows, reading, onEvent } = parts
  let current: Side | undefined
  /** Tag of the user whose side it is; `undefined` before the first look. */
  let followed: string | null | undefined
  let following = Promise.resolve()

  async function goOver(): Promise<void> {
    const tag = page.cookies.userTag()
    if (tag === followed) return
    followed = tag
    const former = current
    current = undefined
    former?.sync.close()
    await clean(tag)
    // What was under way may have been stored since.
    void former?.sync.quiet().then(() => clean(page.cookies.userTag()))
    if (tag !== null) current = await openSide(parts, { owner: 'user', tag, stores, clearance: NO_CLEARANCE })
    if (former || current) onFollowed()
  }

  /** Deletes what is here of all other users. */
  async function clean(tag: string | null): Promise<void> {
    let isLost = false
    await rows.change(REPLICAS, (all) => {
      const others = [...tagsIn(all)].filter((other) => isUserTag(other) && other !== tag)
      isLost = logout === 'drop' && others.some((other) => hasEdits(all, other, reading))
      return new Map(others.flatMap((other) => [...left(all, other)]))
    })
    if (isLost) report(onEvent, { type: 'dropped' })
  }

  /** What is left of a user who is gone. */
  function left(all: ReadonlyMap<string, unknown>, tag: string): Map<string, unknown> {
    if (logout === 'drop' || !hasEdits(all, tag, reading)) return dropped(all, tag)
    const { rows: its, meta } = parseReplica(all, tag, reading)
    const edited = [...its].flatMap(([bin, { known: _, ...row }]) => (row.op ? [[bin, row] as const] : []))
    return changesTo(all, tag, { rows: new Map(edited), meta: { ...meta, cursors: {} } })
  }

  return {
    get current() {
      return current
    },
    isPresent: () => stores.length === 0 || page.cookies.userTag() === (current?.replica.tag ?? null),
    follow() {
      if (stores.length === 0) return undefined
      following = following.then(goOver, goOver)
      return following
    },
  }
}

function hasEdits(all: ReadonlyMap<string, unknown>, tag: string, reading: ReplicaReading): boolean {
  return [...parseReplica(all, tag, reading).rows.values()].some(({ op }) => op)
}
