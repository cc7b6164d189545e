import { userPlace } from './places.ts'
import type { Position, Watch, Watches } from './watches.ts'

/** Whose records are watched, by their keys. */
export interface OwnerKeys {
  /** The visitor. */
  readonly visitor: string
  /** The user who is logged in; `undefined` = nobody is. */
  readonly user: string | undefined
}

/**
 * Watches a visitor's records together with those of its user, whose cursors are named by their places.
 *
 * @param stores Those with bins of scope `'user'` that the browser may see.
 * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`: nothing is watched then.
 */
export async function watchOwner(
  watches: Watches,
  { visitor, user }: OwnerKeys,
  { stores, onMove }: { stores: readonly string[]; onMove: () => void },
): Promise<Watch> {
  const own = await watches.open(visitor, onMove)
  if (user === undefined || stores.length === 0) return own
  const its = await watches.open(user, onMove).catch((error: unknown) => {
    own.stop()
    throw error
  })
  let last: { readonly of: readonly Position[]; readonly position: Position } | undefined

  function position(): Position {
    const of = [own.position, its.position]
    if (last?.of.every((one, index) => one === of[index])) return last.position
    const cursors = Object.entries(its.position.cursors)
      .filter(([store]) => stores.includes(store))
      .map(([store, cursor]) => [userPlace(store), cursor])
    const both = { ...own.position.cursors, ...Object.fromEntries(cursors) }
    last = { of, position: { cursors: both, isGone: own.position.isGone } }
    return last.position
  }

  return {
    get position() {
      return position()
    },
    stop() {
      own.stop()
      its.stop()
    },
  }
}
