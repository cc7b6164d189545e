import type { Scene } from '../scene.ts'
import { isList } from '../world/bins.ts'
import type { SimulatedEdit } from '../world/ledger.ts'
import { mayHaveCopies, type World } from '../world/world.ts'

/** Checks that no edit got lost without a word. */
export function checkEdits(scene: Scene): void {
  const { ledger, violate, clockError, cleared } = scene.world
  const { applied } = scene.vault.history
  const { edits } = ledger
  const inLostStores = new Set(scene.vault.lost.flatMap((history) => [...history.applied.keys()]))
  ledger.excuse('a store was lost', ({ id }) => inLostStores.has(id))
  // What was made before a clear, and what after it, is for clocks to say.
  const isCleared = (at: number, tag: string) => at <= (cleared.get(tag) ?? -Infinity) + clockError
  ledger.excuse('cleared', ({ at, tags }) => tags.some((tag) => isCleared(at, tag)))
  for (const edit of edits) {
    if (edit.excuse || edit.told || edit.isRemoval || edit.bin === 'count') continue
    if (applied.has(edit.id) || ledger.removed.has(edit.id) || isReplaced(edit, edits, scene.world)) continue
    violate('no edit is lost silently', `${edit.id} of ${edit.bin}, made in ${edit.by}`)
  }
  checkCount(scene)
}

/** Whether another edit took its place: a later one of the same browser, or one that the bin's rule lets win. */
function isReplaced(
  edit: SimulatedEdit,
  edits: readonly SimulatedEdit[],
  { clockError, hasBrokenStorage }: World,
): boolean {
  const { bin, field, profile, by, at } = edit
  if (isList(bin)) return false
  // A tab that was frozen stores its edit when it goes on.
  const isOfTab = (other: SimulatedEdit) => other.profile === profile && other.by !== by
  const others = edits.filter((other) => other !== edit && other.bin === bin)
  if (bin === 'seat') {
    // What another tab has stored, and this one has not shown yet, is somebody else's edit; and pages whose storage has
    // failed edit under ids of their own.
    const isForeign = (other: SimulatedEdit) => other.by !== by || hasBrokenStorage
    return others.some((other) => isForeign(other) || other.at >= at || other.excuse)
  }
  if (bin === 'note' || bin === 'offer') {
    // An edit in a page request is made later than it was asked for.
    return others.some((other) => other.at >= at - clockError || isOfTab(other) || other.excuse)
  }
  const later = others.filter((other) => other.at >= at || isOfTab(other))
  return later.some((other) => other.profile === profile && (other.field === field || other.isRemoval))
}

function checkCount({ world, vault }: Scene): void {
  if (mayHaveCopies(world)) return
  const edits = world.ledger.edits.filter(({ bin }) => bin === 'count')
  for (const record of vault.history.records.values()) {
    const text = record.bins.get('count')?.text
    const count = text === undefined ? 0 : Number(JSON.parse(text).json)
    if (count > edits.length) {
      world.violate('no edit twice', `the count is ${count} after ${edits.length} edits`)
    }
  }
}
