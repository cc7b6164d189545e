import { adopt } from '../core/replica.ts'
import { changesTo, isReplicaRow, parseReplica, type ReplicaReading, tagsIn } from './replica-rows.ts'
import type { Rows } from './storages/rows.ts'

/**
 * Moves rows back to where they belong, in one transaction: of replicas the edits that wait, for what else there is comes
 * from the server; and all other rows that were changed meanwhile.
 *
 * @param kept The rows as they are now.
 * @param before The rows as they were when their place failed.
 */
export async function bringBack(
  rows: Rows,
  kept: ReadonlyMap<string, unknown>,
  before: ReadonlyMap<string, unknown>,
  reading: ReplicaReading,
): Promise<void> {
  await rows.change('', (all) => {
    const changes = new Map([...changedRows(kept, before), ...answeredRows(all, kept, before)])
    for (const tag of tagsIn(kept)) {
      const present = new Map([...all, ...changes])
      const edited = parseReplica(kept, tag, reading)
      const adopted = adopt(parseReplica(present, tag, reading), edited, { rebase: (from) => from })
      for (const [key, row] of changesTo(present, tag, adopted)) changes.set(key, row)
    }
    return changes
  })
}

/** Rows of no replica that were changed or deleted meanwhile. */
function changedRows(kept: ReadonlyMap<string, unknown>, before: ReadonlyMap<string, unknown>) {
  const keys = [...kept.keys(), ...before.keys()].filter((key) => tagsIn([[key]]).size === 0)
  const changed = keys.filter((key) => JSON.stringify(kept.get(key)) !== JSON.stringify(before.get(key)))
  return changed.map((key): [string, unknown] => [key, kept.get(key)])
}

/** Rows whose edit came along, and does not wait any more: without it. */
function answeredRows(
  all: ReadonlyMap<string, unknown>,
  kept: ReadonlyMap<string, unknown>,
  before: ReadonlyMap<string, unknown>,
): Array<[string, unknown]> {
  return [...before].flatMap(([key, former]) => {
    const row = all.get(key)
    const number = numberOf(former)
    if (number === undefined || number !== numberOf(row) || number === numberOf(kept.get(key))) return []
    return [[key, { ...(row as object), op: undefined }]]
  })
}

function numberOf(row: unknown): number | undefined {
  return isReplicaRow(row) ? row.op?.n : undefined
}
