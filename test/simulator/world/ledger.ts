import type { SimulatedBin } from './bins.ts'

/** One edit that somebody has made. */
export interface SimulatedEdit {
  /** Its id, which the bin's data holds. */
  readonly id: string
  /** The bin. */
  readonly bin: SimulatedBin
  /** Field of the bin `form`. */
  readonly field?: string
  /** Whether it takes away what is in the bin. */
  readonly isRemoval?: boolean
  /** The browser that made it, or in whose name the server did. */
  readonly profile: string
  /** The tab or process that made it. */
  readonly by: string
  /** When it was made, in virtual time. */
  readonly at: number
  /** Tags of the visitors that it may be made for, as far as anybody can tell; empty = none. */
  readonly tags: readonly string[]
  /** Whether it is made on whatever is there when it comes. */
  isUpdate?: boolean
  /** Whether its browser had never had an answer about that visitor. */
  readonly isBlind: boolean
  /** Tag of a visitor for whom it must never be, since that one has taken the place of its own. */
  notFor?: string
  /** When the browser said that it is kept. */
  storedAt?: number
  /** Why it may be lost. */
  excuse?: string
  /** How its maker was told that it did not get through. */
  told?: string
}

/** All edits of a run. */
export interface Ledger {
  /** The edits in their order. */
  readonly edits: readonly SimulatedEdit[]
  /** Finds an edit. */
  find(id: string): SimulatedEdit | undefined
  /** Enters an edit, and gives it an id. */
  enter(edit: Omit<SimulatedEdit, 'id'>): SimulatedEdit
  /** Excuses the loss of edits. */
  excuse(reason: string, isExcused: (edit: SimulatedEdit) => boolean): void
  /** Ids that somebody has taken out of a list. */
  readonly removed: Set<string>
}

/** Opens an empty ledger. */
export function openLedger(): Ledger {
  const edits = new Map<string, SimulatedEdit>()
  return {
    get edits() {
      return [...edits.values()]
    },
    find: (id) => edits.get(id),
    enter(edit) {
      const entered = { ...edit, id: `e${edits.size + 1}` }
      edits.set(entered.id, entered)
      return entered
    },
    excuse(reason, isExcused) {
      for (const edit of edits.values()) if (!edit.excuse && isExcused(edit)) edit.excuse = reason
    },
    removed: new Set(),
  }
}
