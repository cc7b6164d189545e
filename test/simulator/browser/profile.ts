import type { ReplicaMeta, ReplicaRow } from '../../../src/core/sync/replica.ts'
import { type Connection, openConnection } from '../site/network.ts'
import { idsIn } from '../world/bins.ts'
import type { World } from '../world/world.ts'
import { type Channel, openChannel } from './channel.ts'
import { type Disk, openDisk } from './disk.ts'
import { type CookieJar, openJar } from './jar.ts'
import { type Locks, openLocks } from './locks.ts'
import type { Tab } from './tab.ts'
import { openTexts, type Texts } from './texts.ts'

/** A browser of somebody: what all of its tabs share. */
export interface Profile {
  /** Whose it is. */
  readonly name: string
  /** The tabs that are open. */
  readonly tabs: readonly Tab[]
  /** Its cookies. */
  readonly jar: CookieJar
  /** Where it keeps rows. */
  readonly disk: Disk
  /** Where it keeps small texts, if it does. */
  readonly texts: Texts | undefined
  /** Its channel between tabs, if it has one. */
  readonly channel: Channel | undefined
  /** Its locks, if it has any. */
  readonly locks: Locks | undefined
  /** How it reaches the site. */
  readonly connection: Connection
  /** Whether live events get through. */
  readonly hasLiveEvents: boolean
  /** Its clock. */
  clock(): number
  /** Moves its clock. */
  moveClock(ms: number): void
  /** Whether its clock was ever moved backwards. */
  readonly wentBack: boolean
  /** Whether it has ever lost power. */
  hasLostPower: boolean
  /** Whether its user has ever deleted cookies. */
  hasDeletedCookies: boolean
  /** Tags of visitors that it has had an answer about. */
  readonly answered: ReadonlySet<string>
  /** Tags of visitors that were answered, and then replaced by another one: what waits for them is left behind. */
  readonly former: ReadonlySet<string>
  /** Since when its visitor is the present one, in virtual time. */
  readonly ownerSince: number
  /** Bins and numbers of the edits that were ever written down as sent. */
  readonly written: ReadonlySet<string>
  /** Takes notice of its cookies. */
  noteOwner(): void
  /** Takes notice of an answer about a visitor. */
  noteAnswer(tag: string): void
  /** Counts a tab, and adds it. */
  add(open: (name: string) => Tab): Tab
}

/** Opens the browser of somebody. */
export function openProfile(name: string, world: World): Profile {
  const { timeline, fate, trace, ledger } = world
  const isWrong = fate.befalls('wrong clock', name)
  let offset = isWrong ? Math.round(fate.dice(`clock of ${name}`).between(-1, 1) * 2 * 86_400_000) : 0
  let wentBack = false
  const clock = () => Math.floor(timeline.now) + offset
  const jar = openJar(clock)
  const tabs: Tab[] = []
  let opened = 0
  let writes = 0
  const former = new Set<string>()
  const written = new Set<string>()
  let owner = ''
  let ownerSince = 0
  const answered = new Set<string>()
  const tellsCookies = !fate.befalls('no cookie events', name)

  /** Whatever waits may wait for that visitor by now. */
  function leave(tag: string): void {
    former.add(tag)
    ledger.excuse('its visitor was replaced', ({ profile: whose }) => whose === name)
  }

  /** What was stored for a visitor of whom the server has told something is nobody else's. */
  function keepApart(tag: string): void {
    const { cursors = {} } = (profile.disk.rows.get(`s/${tag}/`) ?? {}) as Partial<ReplicaMeta>
    if (Object.keys(cursors).length === 0 || profile.hasDeletedCookies) return
    for (const edit of ledger.edits) {
      const tab = tabs.find((one) => one.name === edit.by)
      // A page whose storage has failed knows only what it was told itself.
      if (tab?.bins && tab.bins.status().storage.kind !== 'indexeddb') continue
      const isStored = edit.profile === name && edit.storedAt !== undefined
      if (isStored && edit.tags.every((one) => one === tag)) edit.notFor = owner
    }
  }

  const profile: Profile = {
    name,
    get tabs() {
      return tabs.filter(({ life }) => !life.isOver)
    },
    jar,
    disk: openDisk({
      timeline,
      fate,
      onCommit: (rows) => checkRows(rows, { name, written }, world),
      onFailure() {
        world.hasBrokenStorage = true
      },
    }),
    texts: fate.befalls('no texts', name)
      ? undefined
      : openTexts(
          () => timeline.now,
          () => fate.befalls('full texts', `${name}, text ${++writes}`),
        ),
    channel: fate.befalls('no channel', name) ? undefined : openChannel(fate),
    locks: fate.befalls('no locks', name) ? undefined : openLocks(),
    connection: openConnection(world, jar, (by) => {
      profile.noteOwner()
      if (!tellsCookies) return
      for (const tab of profile.tabs) if (tab.name !== by) tab.life.after(1, () => tab.befall('cookies'))
    }),
    hasLiveEvents: !fate.befalls('no live events', name),
    clock,
    moveClock(ms) {
      offset += ms
      wentBack ||= ms < 0
      trace.say(name, () => `has the clock moved by ${ms} ms`)
    },
    get wentBack() {
      return wentBack
    },
    answered,
    hasLostPower: false,
    hasDeletedCookies: false,
    former,
    written,
    get ownerSince() {
      return ownerSince
    },
    noteOwner() {
      const before = owner
      owner = jar.get('bb.o') ?? ''
      former.delete(owner)
      if (owner !== before) ownerSince = timeline.now
      if (owner !== before && answered.has(before)) leave(before)
      if (owner !== before && owner !== '') keepApart(before)
    },
    noteAnswer(tag) {
      answered.add(tag)
      if (tag !== owner) leave(tag)
    },
    add(open) {
      opened += 1
      const tab = open(`${name}/${opened}`)
      tabs.push(tab)
      return tab
    },
  }
  return profile
}

/** However much is edited, no row grows without bounds; and what is kept as refused was told. */
function checkRows(
  rows: ReadonlyMap<string, unknown>,
  { name, written }: { name: string; written: Set<string> },
  world: World,
): void {
  const { ledger, violate, trace } = world
  for (const [key, row] of rows) {
    const bin = key.slice(key.lastIndexOf('/') + 1)
    const { op, sent = [], rejected } = row as Partial<ReplicaRow>
    for (const { n } of op?.offered ? [...sent, op] : sent) written.add(`${bin} ${n}`)
    if (sent.length > 128) violate('rows are bounded', `${key} remembers ${sent.length} edits that were sent`)
    if (!rejected?.kept) continue
    for (const id of idsIn(bin, JSON.parse(rejected.kept.text).json)) {
      const edit = ledger.find(id)
      if (!edit || edit.told) continue
      edit.told = 'rejected'
      trace.say(name, () => `keeps ${id} as refused`)
    }
  }
}
