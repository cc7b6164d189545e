import type { Definitions } from '../../core/definition/definition.ts'
import type { Replica, ReplicaMeta, ReplicaRow } from '../../core/sync/replica.ts'
import type { Page } from '../page/page.ts'

/**
 * What the keys of all replicas begin with. An owner's meta row is at `s/<tag>/`, a bin's row at `s/<tag>/<bin>`; no tag
 * has a slash, and `new` is too short for one: it stands for the visitor that the server does not know yet.
 */
export const REPLICAS = 's/'

const NOBODY = 'new'

/** What is needed to read rows. */
export interface ReplicaReading {
  /** Id for a replica that has none yet. */
  readonly newId: () => string
  /** Id of the browser session. */
  readonly session: () => string | undefined
  /** Whether a bin's data ends with the browser session. */
  readonly isOfSession: (bin: string) => boolean
}

/** What a page needs to read rows. */
export function readingOf({ newId, cookies }: Page, { knows, find }: Definitions): ReplicaReading {
  return {
    newId,
    session: cookies.session,
    isOfSession: (bin) => knows(bin) && find(bin).maxAge === 'session',
  }
}

/** Reads the replica of an owner. Rows of another version of the code are left out. */
export function parseReplica(
  all: ReadonlyMap<string, unknown>,
  tag: string,
  { newId, session: present, isOfSession }: ReplicaReading,
): Replica {
  const prefix = prefixOf(tag)
  const meta = all.get(prefix)
  const session = present()
  const isSameSession = isMeta(meta) && meta.session === session
  const rows = new Map<string, ReplicaRow>()
  for (const [key, row] of all) {
    if (!key.startsWith(prefix) || key === prefix || !isReplicaRow(row)) continue
    const bin = key.slice(prefix.length)
    if (isSameSession || !isOfSession(bin)) rows.set(bin, row)
  }
  const { session: _, ...known } = isMeta(meta)
    ? meta
    : { v: 1 as const, client: newId(), last: 0, cursors: {} }
  const made = madeBy(all)
  return {
    rows,
    meta: { ...known, ...(made ? { made } : {}), ...(session === undefined ? {} : { session }) },
  }
}

/** How many edits of each page are stored, whoever's they are by now. */
function madeBy(all: ReadonlyMap<string, unknown>): Record<string, number> | undefined {
  let made: Record<string, number> | undefined
  for (const row of all.values()) {
    if (!isMeta(row)) continue
    for (const [page, count] of Object.entries(row.made ?? {})) {
      made ??= {}
      made[page] = Math.max(made[page] ?? 0, count)
    }
  }
  return made
}

/** The rows to put and to delete so that an owner's replica becomes another one. */
export function changesTo(
  all: ReadonlyMap<string, unknown>,
  tag: string,
  { rows, meta }: Replica,
): Map<string, unknown> {
  const changes = dropped(all, tag)
  for (const [bin, row] of rows) {
    const key = prefixOf(tag) + bin
    if (all.get(key) === row) changes.delete(key)
    else changes.set(key, row)
  }
  return changes.set(prefixOf(tag), meta)
}

/** The rows to delete so that nothing is left of an owner. */
export function dropped(all: ReadonlyMap<string, unknown>, tag: string): Map<string, unknown> {
  const ours = [...all].filter(
    ([key, row]) => key.startsWith(prefixOf(tag)) && (isReplicaRow(row) || isMeta(row)),
  )
  return new Map(ours.map(([key]) => [key, undefined]))
}

/** Whose replicas there are. */
export function tagsIn(all: Iterable<readonly [key: string, ...rest: unknown[]]>): Set<string> {
  const keys = [...all].map(([key]) => key).filter((key) => key.startsWith(REPLICAS))
  return new Set(keys.map((key) => toTag(key.slice(REPLICAS.length, key.indexOf('/', REPLICAS.length)))))
}

/** Whether a row is one of a replica. */
export function isReplicaKey(key: string): boolean {
  return key.startsWith(REPLICAS)
}

/**
 * All rows, for a page that goes on without the other tabs: its replicas get ids of their own, and of the edits that wait
 * those that were made under its own ids come along. They stay where they were, too.
 */
export function copyForPage(
  all: ReadonlyMap<string, unknown>,
  { ownPages, newId }: { readonly ownPages: ReadonlySet<string>; readonly newId: () => string },
): Map<string, unknown> {
  const copies = new Map<string, unknown>()
  for (const [key, row] of all) {
    const meta = isReplicaKey(key) ? all.get(key.slice(0, key.indexOf('/', REPLICAS.length) + 1)) : undefined
    if (row !== meta) copies.set(key, isMeta(meta) && isReplicaRow(row) ? copyRow(row, meta, ownPages) : row)
    else if (isMeta(row)) copies.set(key, { ...row, client: newId() })
  }
  return copies
}

function copyRow(row: ReplicaRow, { client }: ReplicaMeta, ownPages: ReadonlySet<string>): ReplicaRow {
  const { op, ...rest } = row
  return op && ownPages.has(op.page ?? '') ? { ...rest, op: { ...op, also: { client, n: op.n } } } : rest
}

function prefixOf(tag: string): string {
  return `${REPLICAS}${tag === '' ? NOBODY : tag}/`
}

function toTag(part: string): string {
  return part === NOBODY ? '' : part
}

/** Whether this version of the code can read the row. */
export function isReplicaRow(value: unknown): value is ReplicaRow {
  return isObject(value) && value.v === 1 && Array.isArray(value.sent)
}

function isMeta(value: unknown): value is ReplicaMeta {
  return isObject(value) && value.v === 1 && typeof value.client === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
