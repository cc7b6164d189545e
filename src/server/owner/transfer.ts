import type { Definition } from '../../core/definition/definition.ts'
import { apply, type Op } from '../../core/sync/apply-edits.ts'
import { mergeTexts } from '../../core/sync/merge.ts'
import { type BinsRecord, isLive, type Row } from '../../core/sync/record.ts'
import type { OpState } from '../../core/sync/wire.ts'
import type { ServerParts } from '../parts.ts'
import { newMark } from '../records/new-record.ts'

/** How bins of a visitor become those of another owner. Pure, but for clock and randomness. */
export interface Adoption {
  /** Whether a record holds any of them. */
  isDue(record: BinsRecord): boolean
  /** What a visitor's record holds of them, as ops: the numbers are those of the rows, so that each counts once. */
  opsOf(record: BinsRecord): readonly Op[]
  /**
   * Applies them to the other owner's record, by each bin's rule.
   *
   * @param client Who they come from: the same for the same visitor.
   * @returns The record, and which of them need not be kept elsewhere any more.
   */
  adopt(record: BinsRecord, ops: readonly Op[], client: string): { record: BinsRecord; done: readonly Op[] }
  /** Takes them out of the visitor's record, but not what was written since. */
  remove(record: BinsRecord, done: readonly Op[]): BinsRecord
}

const DONE: ReadonlySet<OpState> = new Set(['ok', 'dup', 'superseded'])

/** Which bins {@link openAdoption} is about. */
export interface AdoptionOptions {
  /** Whether a bin becomes the other owner's. */
  readonly isIncluded: (definition: Definition) => boolean
  /** The browser session, whose bins are among them. Default: there is none. */
  readonly session?: string | undefined
}

/** Prepares to hand bins of a visitor to another owner. */
export function openAdoption(
  { definitions, clock, random }: ServerParts,
  { isIncluded, session }: AdoptionOptions,
): Adoption {
  const { find, knows } = definitions

  function rowsOf({ bins }: BinsRecord): Array<[string, Row & { text: string }]> {
    const now = clock()
    return [...bins].flatMap(([name, row]) =>
      knows(name) && isIncluded(find(name)) && isLive(row, now, session) ? [[name, row]] : [],
    )
  }

  /** Settles a conflict by the bin's rule; where that fails, both stay where they are. */
  function merge({ text, ...op }: Op, row: Row | undefined): Op[] {
    const theirs = isLive(row, clock(), session) ? { text: row.text, version: row.version } : undefined
    const mine = text === undefined ? undefined : { text, version: op.version }
    const merged = mergeTexts(find(op.bin), { base: undefined, mine, theirs })
    if (merged === undefined) return []
    return [{ ...op, base: row?.rev ?? 0, ...(merged === null ? {} : { text: merged }) }]
  }

  function circumstances() {
    return { find, now: clock(), mark: newMark(random), session }
  }

  return {
    isDue: (record) => rowsOf(record).length > 0,

    opsOf: (record) =>
      rowsOf(record).map(([bin, { rev, text, at, version }]) => {
        return { n: rev, bin, base: 0, text, age: clock() - at, version }
      }),

    adopt(before, ops, client) {
      const options = { ...circumstances(), client, isTrusted: true }
      const first = apply(before, ops, options)
      const again = first.results.flatMap(({ state, row }, index) => {
        const op = ops[index]
        return state === 'conflict' && op ? merge(op, row) : []
      })
      const second = apply(first.record, again, options)
      const settled = [...first.results, ...second.results].filter(({ state }) => DONE.has(state))
      const names = new Set(settled.map(({ bin }) => bin))
      return { record: second.record, done: ops.filter(({ bin }) => names.has(bin)) }
    },

    remove(record, done) {
      const present = done.filter(({ bin, n }) => record.bins.get(bin)?.rev === n)
      const deletions = present.map(({ bin, n, version }) => ({ n: 0, bin, base: n, age: 0, version }))
      return apply(record, deletions, circumstances()).record
    },
  }
}
