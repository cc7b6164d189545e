import type { BinText } from '../core/definition/bin-text.ts'
import type { Definition, Definitions } from '../core/definition/definition.ts'
import type { OnEvent } from '../core/event.ts'
import type { RejectedEdit } from '../core/sync/replica.ts'
import type { Logout, Status, SyncResult } from './client-bins.ts'
import type { Page } from './page/page.ts'
import { openClearance } from './replica/clear-marker.ts'
import { openDeviceBins } from './replica/device-bins.ts'
import { openKeptRows } from './replica/kept-rows.ts'
import type { Edit } from './replica/local-edits.ts'
import { readingOf } from './replica/replica-rows.ts'
import { openLive } from './sync/live.ts'
import { openSide } from './sync/owner-sync.ts'
import { openSides } from './sync/owner-syncs.ts'
import { takeSnapshot } from './sync/snapshot.ts'
import { openUserSide } from './sync/user-sync.ts'

/** What this device keeps besides cookies: its own bins, and the copies of server bins. */
export interface Local {
  /** What a device or server bin holds. */
  find(definition: Definition): BinText | undefined
  /** Makes an edit: visible at once, stored in the background. Resolves when it is stored. */
  edit(edit: Edit): Promise<void>
  /** Whether it is known what a bin holds. */
  isLoaded(definition: Definition): boolean
  /** Names of bins that may hold data. */
  names(): string[]
  /** Resolves when every edit so far is stored. Rejects if one could not be. */
  flush(): Promise<void>
  /** Deletes all device bins here, and all server bins everywhere. */
  clear(): Promise<void>
  /** Exchanges with the server, now. */
  sync(): Promise<SyncResult>
  /** Whether the server has not answered for the last edit of a bin. */
  isPending(definition: Definition): boolean
  /** The last edit of a bin that the server refused. */
  rejected(definition: Definition): RejectedEdit | undefined
  /** Forgets a refused edit. */
  discard(definition: Definition): Promise<void>
  /** Where the sync stands. */
  status(): Status
  /** Reads the rows again. */
  reload(): Promise<void>
  /** Ends the sync and lets go of the database. */
  close(): Promise<void>
}

/** Circumstances of {@link openLocal}. */
export interface LocalOptions {
  /** The page. */
  readonly page: Page
  /** Every bin of the application. */
  readonly definitions: Definitions
  /** How long to wait for a first answer of the server, in ms. */
  readonly wait: number
  /** What the server has put into the page. */
  readonly snapshot: string | undefined
  /** What becomes of a user's edits that were not sent before the logout. */
  readonly logout: Logout
  /** Receives what an owner may want to log. */
  readonly onEvent: OnEvent | undefined
  /** Told after each change of what bins hold. */
  readonly onChange: () => void
  /** Told after each change of the sync's status. */
  readonly onStatus: () => void
  /** Told after each change of what is stored. */
  readonly onStored: () => void
}

/** How often a page looks whether IndexedDB works again, in ms. */
const RECOVERY_MS = 60_000

/** Opens what this device keeps besides cookies. */
export async function openLocal(options: LocalOptions): Promise<Local> {
  const { page, definitions, wait, snapshot, logout, onEvent, onChange, onStatus, onStored } = options
  const { cookies, clock, timer, newId } = page
  const reading = readingOf(page, definitions)
  // Where there is no database at all, nothing can be in it, now or later.
  const hasDatabase = page.rows !== undefined || 'indexedDB' in globalThis
  let stopRecovering = () => {}
  const rows = await openKeptRows({
    page,
    name: definitions.cookie.prefix,
    reading,
    onEvent,
    onStored,
    onMoved() {
      recoverLater()
      onStatus()
    },
  })
  const clearance = await openClearance(rows)
  const device = await openDeviceBins({ rows, clock, session: cookies.session, onChange })
  for (const definition of definitions.names.map(definitions.find)) {
    if (definition.storage === 'device') device.renew(definition)
  }
  const bins = visibleBins(definitions)
  const stores = storesOf(bins)
  const parts = {
    page,
    definitions,
    rows,
    reading,
    onEvent,
    onChange,
    onStatus() {
      onStatus()
      // An answer may have made the visitor, or told of a login or a logout.
      void user.follow()
      if (visitor.sync.phase === 'idle') live.begin()
    },
  }
  const user = openUserSide({
    ...parts,
    stores: storesOf(bins.filter(({ scope }) => scope === 'user')),
    logout,
    onFollowed() {
      onChange()
      live.again()
      if (isStarted) void user.current?.sync.now().catch(() => {})
    },
  })
  const visitor = await openSide(parts, {
    owner: 'visitor',
    tag: presentTag(),
    presentTag,
    stores,
    clearance,
  })
  const sides = openSides({
    page,
    visitor,
    user,
    // The page's own listeners to `pagehide` come after ours.
    onEdit: (sync) => (isLeft ? sync.leave() : sync.soon()),
  })
  const live = openLive({
    page,
    path: definitions.path,
    tag: () => (stores.length > 0 ? presentTag() : ''),
    known: sides.cursors,
    pull: sides.pull,
  })
  let isStarted = false
  let isLeft = false
  const stopWatching = page.watch((moment) => {
    if (moment === 'left') isLeft = true
    if (moment === 'shown') isLeft = false
    if (moment === 'hidden' || moment === 'left') for (const { sync } of sides.all()) sync.leave()
    if (moment === 'shown') void recover()
    if (moment === 'shown' || moment === 'cookies') void user.follow()
    if (moment === 'cookies' && stores.length > 0 && presentTag() !== visitor.replica.tag) void sides.pull()
  })
  const isFailedRead = !rows.isAtHome() && hasDatabase
  if (stores.length > 0) await start()

  /** Tag of the visitor that the cookies speak of now: any response may have made one. */
  function presentTag(): string {
    const tag = cookies.visitorTag()
    return tag === null || tag === clearance.tag ? '' : tag
  }

  function recoverLater(): void {
    stopRecovering()
    if (hasDatabase) stopRecovering = timer(() => void recover(), RECOVERY_MS)
  }

  /** What waits to be sent goes first: in IndexedDB, it would be the edit of another replica. */
  async function recover(): Promise<void> {
    stopRecovering()
    if (sides.pendingCount() === 0 && (await rows.recover())) await reload()
    else if (!rows.isAtHome()) recoverLater()
  }

  async function reload(): Promise<void> {
    await clearance.reload()
    await visitor.sync.followOwner()
    await user.follow()
    await device.reload()
    for (const { replica, sync } of sides.all()) {
      await replica.reload()
      sync.later()
    }
  }

  /** A first exchange, in the background or awaited. */
  async function start(): Promise<void> {
    await user.follow()
    isStarted = true
    const isKnown = bins.every((definition) => sides.of(definition).replica.isPulled(definition))
    const isFresh = await takeSnapshot(snapshot, sides.all())
    const isNobody = sides.all().every(({ replica }) => replica.tag === '')
    if (sides.pendingCount() === 0 && !clearance.isPending) {
      // Any response may make the visitor.
      if (isNobody) return live.begin()
      // If there is news, the stream will tell.
      if (isFresh) return live.begin()
    }
    const first = Promise.all(sides.all().map(({ sync }) => sync.now())).catch(() => {})
    if (wait === 0 || isKnown || isNobody) return
    let stop = () => {}
    await Promise.race([
      first,
      new Promise<void>((resolve) => {
        stop = timer(resolve, wait)
      }),
    ])
    stop()
  }

  return {
    find: (definition) =>
      definition.storage === 'device' ? device.find(definition) : sides.find(definition),

    edit(edit) {
      const { storage, maxAge } = edit.definition
      if (maxAge === 'session') cookies.startSession(newId)
      if (storage === 'device') return device.edit(edit)
      return sides.edit(edit)
    },

    isLoaded(definition) {
      if (definition.storage === 'device') return !isFailedRead
      const { replica } = sides.of(definition)
      return replica.isPulled(definition) || (replica.tag === '' && !isFailedRead)
    },

    names: () => [...new Set([device.names(), ...sides.all().map(({ replica }) => replica.names())].flat())],

    async flush() {
      await device.flush()
      await user.follow()
      for (const { replica } of sides.all()) await replica.flush()
    },

    async clear() {
      await Promise.all([device.clear(), visitor.sync.clear()])
    },

    sync: sides.sync,
    isPending: (definition) => sides.of(definition).replica.isPending(definition),
    rejected: (definition) => sides.of(definition).replica.rejected(definition.name),
    discard: (definition) => sides.of(definition).replica.discard(definition.name),

    status() {
      const status = sides.status()
      // Where rows cannot be shared, what waits lives as long as the page.
      const isKept = rows.isAtHome() || status.pending === 0
      return {
        ...status,
        storage: rows.storage,
        problem: status.problem ?? (isKept ? undefined : 'not-kept'),
      }
    },

    reload,

    async close() {
      stopWatching()
      stopRecovering()
      live.close()
      for (const { sync } of sides.all()) sync.close()
      await device.flush()
      for (const { replica } of sides.all()) await replica.flush()
      rows.close()
    },
  }
}

/** The server bins that a browser may see. */
function visibleBins({ names, find, others }: Definitions): Definition[] {
  const all = [...names.map(find), ...(others ? [others] : [])]
  return all.filter(({ storage, browser }) => storage === 'server' && browser !== 'none')
}

/** The stores in which these bins are. */
function storesOf(bins: readonly Definition[]): string[] {
  return [...new Set(bins.map(({ store }) => store))]
}
