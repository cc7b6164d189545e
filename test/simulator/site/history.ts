import type { BinsRecord, Row } from '../../../src/core/sync/record.ts'
import { parseRecord } from '../../../src/core/sync/record-text.ts'
import { visitorTag } from '../../../src/server/identity/token.ts'
import { BIN_NAMES, idsIn, isChain, isList } from '../world/bins.ts'
import { mayHaveCopies, type World } from '../world/world.ts'

/** What a store has held, and whether each write kept the rules. */
export interface History {
  /** Takes notice of a write. */
  note(key: string, text: string): void
  /** When each edit that was ever in it came first, by id. */
  readonly applied: ReadonlyMap<string, number>
  /** The records as they are now. */
  readonly records: ReadonlyMap<string, BinsRecord>
  /** Whether the site has gone over to another store: what is still written here gets lost. */
  isLost: boolean
}

/** Longest time that an edit can be on its way, in ms. */
const TRANSIT_MS = 100_000

/**
 * Opens the history of a store.
 *
 * @param onErased Told of the keys of records that were cleared.
 */
export function openHistory(world: World, onErased: (key: string) => void): History {
  const { ledger, violate, trace } = world
  const records = new Map<string, BinsRecord>()
  const applied = new Map<string, number>()
  /** By edit: the places, each a key and a bin, where it was ever kept. */
  const places = new Map<string, Set<string>>()
  /** By key, bin and id: what is not there any more, and must not come back. */
  const replaced = new Set<string>()

  function noteRow(key: string, bin: string, row: Row, before: BinsRecord | undefined): void {
    const former = before?.bins.get(bin)
    if (before && row.rev <= before.seq) {
      violate('revs rise', `${bin} got rev ${row.rev}, and the record had seq ${before.seq} already`)
    }
    const [was, is] = [dataIn(former), dataIn(row)]
    const [old, ids] = [idsIn(bin, was), idsIn(bin, is)]
    if (row.text !== undefined) trace.say('store', () => `holds ${bin} ${JSON.stringify(is)}`)
    else trace.say('store', () => `holds no ${bin}`)
    for (const id of ids) noteId(`${key} ${bin}`, id, bin, old, former)
    for (const id of old) if (!ids.includes(id)) replaced.add(`${key} ${bin} ${id}`)
    if (new Set(ids).size < ids.length) violateTwice(`${bin} became ${JSON.stringify(is)}`)
    if (bin === 'list') checkList(old, ids)
    if (isChain(bin) && old.some((id, index) => ids[index] !== id) && row.text !== undefined) {
      violateLoss(
        'nothing unseen is overwritten',
        `${bin} ${JSON.stringify(was)} became ${JSON.stringify(is)}`,
      )
    }
    if (bin === 'count' && Number(is ?? 0) < Number(was ?? 0)) {
      violateLoss('accepted edits stay', `count fell from ${was} to ${is}`)
    }
    if (isSingle(bin) && former?.text !== undefined && row.text !== undefined)
      checkOrder(bin, former, old, ids)
  }

  function noteId(
    place: string,
    id: string,
    bin: string,
    old: readonly string[],
    former: Row | undefined,
  ): void {
    if (!applied.has(id)) checkVisitor(place, id, bin)
    if (!applied.has(id)) applied.set(id, world.timeline.now)
    const ours = places.get(id) ?? new Set()
    places.set(id, ours.add(place))
    if (replaced.has(`${place} ${id}`)) {
      violate('nothing comes back', `${bin} holds ${id} again`)
    }
    // Tabs without a cookie that write at once each become a visitor, and the edit follows the cookie from one to another,
    // and back under a number of its own: nobody sees what is put in its own place.
    const hasMoved = ours.size > 1
    const isWhole = !isList(bin) && bin !== 'form'
    if (isWhole && !hasMoved && old.includes(id) && former?.text !== undefined) {
      violateTwice(`${id} of ${bin} was applied once more`)
    }
  }

  /** A visitor that was cleared, or that the store has lost, is none: its edits are the next one's. */
  function checkVisitor(place: string, id: string, bin: string): void {
    const edit = ledger.find(id)
    if (edit?.notFor !== tagOf(place) || world.hasFailedOver) return
    if (edit.tags.some((tag) => world.cleared.has(tag))) return
    violate('edits stay with their visitor', `${id} of ${bin} came to another one`)
  }

  function violateTwice(what: string): void {
    if (!mayHaveCopies(world)) violate('no edit twice', what)
  }

  /** A browser that reaches a lost store and the next one in turn takes away in one what it missed in the other. */
  function violateLoss(rule: string, what: string): void {
    if (!history.isLost) violate(rule, what)
  }

  function checkList(old: readonly string[], ids: readonly string[]): void {
    const lost = old.filter((id) => !ids.includes(id) && !ledger.removed.has(id))
    if (lost.length > 0) violateLoss('accepted edits stay', `list lost ${lost.join(', ')}`)
  }

  /** By the rule `latest`. */
  function checkOrder(bin: string, former: Row, old: readonly string[], ids: readonly string[]): void {
    const [theirs, mine] = [ledger.find(old[0] ?? ''), ledger.find(ids[0] ?? '')]
    if (!theirs || !mine || mine.isUpdate) return
    const wasThere = (applied.get(theirs.id) ?? 0) < mine.at
    const isLive = former.expires > world.timeline.now + world.clockError
    if (mine.isBlind && mine.profile !== theirs.profile && wasThere && isLive) {
      violate('what was never pulled overwrites nothing', `${bin} ${theirs.id} became ${mine.id}`)
    }
    if (isLive && mine.at + world.clockError + TRANSIT_MS < theirs.at) {
      violate('the latest edit wins', `${bin} ${theirs.id} became the older ${mine.id}`)
    }
  }

  /** Whether a bin was deleted of which no tombstone is left, and when, nobody knows: the deletion may have been later. */
  function excuseForgotten({ bins }: BinsRecord): void {
    ledger.excuse('older than what the record remembers', ({ bin }) => isSingle(bin) && !bins.has(bin))
  }

  const history: History = {
    applied,
    records,
    isLost: false,
    note(key, text) {
      const before = records.get(key)
      const after = parseRecord(text)
      records.set(key, after)
      const isSameLife = before?.epoch === after.epoch
      if (isSameLife && after.seq < before.seq) {
        violate('seq rises', `it fell from ${before.seq} to ${after.seq}`)
      }
      if (after.erased !== undefined) {
        if (before?.erased === undefined) onErased(key)
        if (after.bins.size > 0) violate('what was cleared stays empty', 'a cleared record holds bins')
      }
      if (isSameLife && after.floor > before.floor) excuseForgotten(after)
      const isCleared = world.cleared.has(tagOf(key)) && !world.hasFailedOver
      if (isCleared && [...after.bins.values()].some(({ text: held }) => held !== undefined)) {
        violate('what was cleared stays empty', 'a cleared visitor has data again')
      }
      const revs = [...after.bins.values()].map(({ rev }) => rev)
      if (new Set(revs).size < revs.length || Math.max(0, ...revs) > after.seq) {
        violate('revs are unique', `the record has revs ${revs.join(', ')} and seq ${after.seq}`)
      }
      for (const bin of BIN_NAMES) {
        const [former, row] = [before?.bins.get(bin), after.bins.get(bin)]
        if (row && former?.rev !== row.rev) noteRow(key, bin, row, isSameLife ? before : undefined)
        else if (former?.text !== undefined && row?.text === undefined) {
          // It has expired, or was deleted and forgotten.
          for (const id of idsIn(bin, dataIn(former))) replaced.add(`${key} ${bin} ${id}`)
        }
      }
    },
  }
  return history
}

/** Tag of the visitor whose record has a key. */
export function tagOf(key: string): string {
  return visitorTag({ id: key.slice('v:'.length).split(' ', 1)[0] ?? '', secret: '' })
}

/** By the rule `latest`. */
function isSingle(bin: string): boolean {
  return bin === 'note' || bin === 'offer'
}

function dataIn(row: Row | undefined): unknown {
  return row?.text === undefined ? undefined : JSON.parse(row.text).json
}
