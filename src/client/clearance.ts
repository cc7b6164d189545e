import type { Rows } from './storages/rows.ts'

/** What this device remembers of a `clear`: whose bins are gone, and whether the server knows. */
export interface Clearance {
  /** Tag that must not be used again; `null` = nothing was cleared. */
  readonly tag: string | null
  /** Whether the server has not been told yet. */
  readonly isPending: boolean
  /** Writes it down. */
  set(tag: string, isPending: boolean): Promise<void>
  /** Reads it again: another tab may have cleared. */
  reload(): Promise<void>
}

const CLEARANCE = 'c/'

/** Opens what this device remembers of a `clear`. */
export async function openClearance(rows: Rows): Promise<Clearance> {
  let { tag, isPending } = parse(await rows.load(CLEARANCE))
  let writing: Promise<unknown> = Promise.resolve()
  return {
    get tag() {
      return tag
    },
    get isPending() {
      return isPending
    },
    async set(cleared, pending) {
      tag = cleared
      isPending = pending
      const written = rows.change(CLEARANCE, () => new Map([[CLEARANCE, { v: 1, tag, isPending }]]))
      writing = written
      await written
    },
    async reload() {
      const known = writing
      await known.catch(() => {})
      const present = parse(await rows.load(CLEARANCE))
      // What this page has written meanwhile is newer.
      if (writing === known) ({ tag, isPending } = present)
    },
  }
}

function parse(all: ReadonlyMap<string, unknown>): { tag: string | null; isPending: boolean } {
  const row = all.get(CLEARANCE)
  if (typeof row !== 'object' || row === null || !('tag' in row) || !('isPending' in row)) {
    return { tag: null, isPending: false }
  }
  return { tag: typeof row.tag === 'string' ? row.tag : null, isPending: row.isPending === true }
}
