import type { BinText } from '../../core/definition/bin-text.ts'
import type { Definition } from '../../core/definition/definition.ts'
import { type ApplyOptions, apply, type Op, type OpResult } from '../../core/sync/apply-edits.ts'
import { mergeTexts } from '../../core/sync/merge.ts'
import { type BinsRecord, isLive, type Row } from '../../core/sync/record.ts'
import { outdated, recordTooLarge, unmerged } from '../errors.ts'

/** A change of a server bin that a request has made and not yet saved. */
export interface Edit {
  /** Which bin. */
  readonly definition: Definition
  /** The data to keep; `null` deletes the bin. */
  readonly text: string | null
  /** When it was made, in ms since the Unix epoch. */
  readonly at: number
  /** The row it was made on; left out if there was none. */
  readonly from?: Row | undefined
}

/**
 * Applies edits to a record. One that somebody else came in between with is merged by the bin's rule. Pure.
 *
 * @param edits At most one for each bin.
 * @throws {@link BinsError} `TOO_LARGE`, `OUTDATED`, `CONFLICT` if the bin's rule fails.
 */
export function applyEdits(record: BinsRecord, edits: readonly Edit[], options: ApplyOptions): BinsRecord {
  const first = applyAll(
    record,
    edits.map((edit) => toOp(edit, options.now)),
    options,
  )
  const again: Op[] = []
  for (const edit of edits) {
    const result = first.results.get(edit.definition.name)
    const op = result && result.state !== 'ok' ? resolve(edit, result, options) : undefined
    if (op) again.push(op)
  }
  return applyAll(first.record, again, options).record
}

/** What a row holds, unless it is deleted, expired, or of another browser session. */
export function textIn(row: Row | undefined, now: number, session: string | undefined): BinText | undefined {
  return isLive(row, now, session) ? { text: row.text, version: row.version } : undefined
}

function applyAll(
  before: BinsRecord,
  ops: readonly Op[],
  options: ApplyOptions,
): { record: BinsRecord; results: Map<string, OpResult> } {
  const { record, results } = apply(before, ops, options)
  for (const { bin, state } of results) {
    if (state === 'too-large') throw recordTooLarge(bin)
    if (state === 'outdated') throw outdated(bin)
  }
  return { record, results: new Map(results.map((result) => [result.bin, result])) }
}

/** The op that settles a conflict; `undefined` if what is kept now stays. */
function resolve(edit: Edit, { state, row }: OpResult, options: ApplyOptions): Op | undefined {
  const { definition, text, from } = edit
  const op = toOp(edit, options.now)
  // The record that the edit was made on is lost, with everything that could be merged.
  if (!row) return { ...op, base: 0 }
  // By the rule 'latest', and somebody's edit was the later one.
  if (state === 'superseded') return undefined
  const merged = mergeTexts(definition, {
    base: textIn(from, options.now, options.session),
    mine: text === null ? undefined : { text, version: definition.version },
    theirs: textIn(row, options.now, options.session),
  })
  if (merged === undefined) throw unmerged(definition.name)
  return toOp({ ...edit, text: merged, from: row }, options.now)
}

function toOp({ definition, text, at, from }: Edit, now: number): Op {
  return {
    n: 0,
    bin: definition.name,
    base: from?.rev ?? 0,
    age: now - at,
    version: definition.version,
    ...(text === null ? {} : { text }),
  }
}
