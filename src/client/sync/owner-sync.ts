import type { Definitions } from '../../core/definition/definition.ts'
import type { OnEvent } from '../../core/event.ts'
import type { Page } from '../page/page.ts'
import type { Clearance } from '../replica/clear-marker.ts'
import type { KeptRows } from '../replica/kept-rows.ts'
import { type ClientReplica, openReplica } from '../replica/replica.ts'
import type { ReplicaReading } from '../replica/replica-rows.ts'
import type { AnyOwner } from './exchange.ts'
import { openSync, type Sync } from './schedule.ts'

/** What a browser has of one owner's server bins, and how it keeps up with the server. */
export interface Side {
  /** The copy. */
  readonly replica: ClientReplica
  /** Its sync. */
  readonly sync: Sync
  /** Stores in which the browser may see bins of this owner. */
  readonly stores: readonly string[]
}

/** What the sides of a page share. */
export interface SideParts {
  /** The page. */
  readonly page: Page
  /** Every bin of the application. */
  readonly definitions: Definitions
  /** Where the rows are. */
  readonly rows: KeptRows
  /** What is needed to read rows. */
  readonly reading: ReplicaReading
  /** Receives what an owner may want to log. */
  readonly onEvent: OnEvent | undefined
  /** Told after each change of what bins hold. */
  readonly onChange: () => void
  /** Told after each change of a sync's status. */
  readonly onStatus: () => void
}

/** Whose side it is. */
export interface SideOptions {
  /** The visitor's, or the user's. */
  readonly owner: AnyOwner
  /** Tag of the owner; empty = none yet. */
  readonly tag: string
  /** Tag of the visitor that the cookies speak of now; empty = none. */
  readonly presentTag?: () => string
  /** Stores in which the browser may see bins of this owner. */
  readonly stores: readonly string[]
  /** The record of a `clear` that the server has not heard of. */
  readonly clearance: Clearance
}

/** Opens the side of an owner. Sends nothing before it is asked. */
export async function openSide({ rows, onStatus, ...parts }: SideParts, options: SideOptions): Promise<Side> {
  const { clearance, stores } = options
  const replica = await openReplica({
    ...parts,
    ...options,
    rows,
    ownPages: rows.ownPages,
    isShared: rows.isAtHome,
    // What waits for a visitor that the server has forgotten is for the next one.
    isCleared: (tag) => tag !== '' && tag === clearance.tag && !clearance.isForgotten,
  })
  const sync = openSync({ ...parts, ...options, replica, path: parts.definitions.path, onStatus })
  return { replica, sync, stores }
}
