import type { Definitions } from '../../core/definition/definition.ts'
import type { WireOp } from '../../core/sync/wire.ts'

/** How much may be offered at once. */
export interface OfferLimits {
  /** Number of ops. */
  readonly maxOps: number
  /** Bytes that the ops take in a request, about; one may have more. */
  readonly maxBytes: number
}

/** What was offered to the server. */
export interface Offer {
  /** Tag of the owner. */
  readonly tag: string
  /** Id of this replica. */
  readonly client: string
  /** Ops by store. */
  readonly ops: ReadonlyMap<string, WireOp[]>
  /** Cursor by store. */
  readonly cursors: Readonly<Record<string, string>>
}

/** Ops by the store that their bins live in. */
export function groupByStore(ops: readonly WireOp[], definitions: Definitions): Map<string, WireOp[]> {
  const groups = new Map<string, WireOp[]>()
  for (const op of ops) {
    const { store } = definitions.find(op.bin)
    groups.set(store, [...(groups.get(store) ?? []), op])
  }
  return groups
}
