import { MAX_TOMBSTONES, TOMBSTONE_AGE } from './limits.ts'
import type { BinsRecord, Row } from './record.ts'

/** Turns expired rows into tombstones, and lets go of old tombstones. */
export function prune(record: BinsRecord, now: number): BinsRecord {
  const bins = new Map<string, Row>()
  for (const [name, row] of record.bins) {
    bins.set(name, row.text !== undefined && row.expires <= now ? toTombstone(row) : row)
  }
  const tombstones = [...bins]
    .filter(([, row]) => row.text === undefined)
    .sort(([, a], [, b]) => a.rev - b.rev)
  let floor = record.floor
  for (const [index, [name, row]] of tombstones.entries()) {
    // Revs are times in ms: an edit that was made long ago can delete only now.
    const since = Math.max(row.at, row.rev, Math.min(row.expires, now))
    if (tombstones.length - index <= MAX_TOMBSTONES && since > now - TOMBSTONE_AGE) continue
    bins.delete(name)
    floor = Math.max(floor, row.rev)
  }
  return { ...record, bins, floor }
}

/** That data has expired is no edit: what was made before, and comes later, wins over what was there. */
function toTombstone({ text: _, ...row }: Row): Row {
  return row
}
