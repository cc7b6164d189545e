import type { Definitions } from '../../core/definition/definition.ts'
import { type BinsRecord, isLive, type Row } from '../../core/sync/record.ts'
import { type AnswerPart, toCursor, toWireRow, type WireChange, type WireRow } from '../../core/sync/wire.ts'

/** What is needed to tell a browser what a record holds. */
export interface Telling {
  /** Every bin of the application. */
  readonly definitions: Definitions
  /** Name of the store. */
  readonly store: string
  /** Id of the browser session. */
  readonly session: string | undefined
  /** The present, in ms since the Unix epoch. */
  readonly now: number
}

/** A row as a browser is told of it. */
export function tellRow(row: Row, { now, session }: Telling): WireRow {
  return toWireRow(row, isLive(row, now, session), now)
}

/** Bins of a record that have changed since a `seq`, and that the browser may see. */
export function changesSince(record: BinsRecord | undefined, since: number, telling: Telling): WireChange[] {
  return [...(record?.bins ?? [])]
    .filter(([bin, { touched }]) => touched > since && isVisible(bin, telling))
    .map(([bin, row]) => ({ bin, ...tellRow(row, telling) }))
}

/** All that a browser may see of a record, as the answer to a sync that knew nothing. */
export function snapshotOf(record: BinsRecord | undefined, tag: string, telling: Telling): AnswerPart {
  const changes = changesSince(record, 0, telling)
  return { store: telling.store, tag, cursor: toCursor(record), results: [], changes, reset: true }
}

/** A record may hold bins that have been defined otherwise since, or not at all any more. */
function isVisible(bin: string, { definitions, store }: Telling): boolean {
  if (!definitions.knows(bin)) return false
  const definition = definitions.find(bin)
  return definition.storage === 'server' && definition.store === store && definition.browser !== 'none'
}
