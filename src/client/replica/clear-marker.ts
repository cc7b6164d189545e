import type { Rows } from '../table/rows.ts'

/**
 * Why a visitor must not be used again: its user has cleared it, and the server is to be told, or has been; or the
 * server does not know it any more.
 */
export type ClearanceState = 'asked' | 'done' | 'forgotten'

/** What this device remembers of a `clear`: whose bins are gone, and whether the server knows. */
export interface Clearance {
  /** Tag that must not be used again; `null` = nothing was cleared. */
  readonly tag: string | null
  /** Whether the server has not been told yet. */
  readonly isPending: boolean
  /** Whether it was the server that had forgotten the visitor. */
  readonly isForgotten: boolean
  /** Writes it down. */
  set(tag: string | null, state: ClearanceState): Promise<void>
  /** Reads it again: another tab may have cleared. */
  reload(): Promise<void>
}

const CLEARANCE = 'c/'

/** Opens what this device remembers of a `clear`. */
export async function openClearance(rows: Rows): Promise<Clearance> {
  let { tag, state } = parse(await rows.load(CLEARANCE))
  let sets = 0
  return {
    get tag() {
      return tag
    },
    get isPending() {
      return state === 'asked'
    },
    get isForgotten() {
      return state === 'forgotten'
    },
    async set(cleared, next) {
      tag = cleared
      state = next
      sets += 1
      await rows.change(CLEARANCE, () => new Map([[CLEARANCE, { v: 1, tag: cleared, state: next }]]))
    },
    async reload() {
      const before = sets
      const present = parse(await rows.load(CLEARANCE))
      // What is asked for while it is read is news.
      if (sets !== before) return
      tag = present.tag
      state = present.state
    },
  }
}

function parse(all: ReadonlyMap<string, unknown>): { tag: string | null; state: ClearanceState } {
  const row = all.get(CLEARANCE)
  if (typeof row !== 'object' || row === null || !('tag' in row) || !('state' in row)) {
    return { tag: null, state: 'done' }
  }
  const { tag, state } = row
  return {
    tag: typeof tag === 'string' ? tag : null,
    state: state === 'asked' || state === 'forgotten' ? state : 'done',
  }
}
