import type { Replica, ReplicaMeta, ReplicaRow } from '../core/replica.ts'

/**
 * What the keys of all replicas begin with. An owner's meta row is at `s/<tag>/`, a bin's row at `s/<tag>/<bin>`; no tag
 * has a slash, and `new` is too short for one: it stands for the visitor that the server does not know yet.
 */
export const REPLICAS = 's/'

/** What is needed to read rows. */
export interface ReplicaReading {
  /** Id for a replica that has none yet. */
  readonly newId: () => string
  /** Id of the browser session. */
  readonly session: () => string | undefined
  /** Whether a bin's data ends with the browser session. */
  readonly isOfSession: (bin: string) => boolean
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
    if (!key.startsWith(prefix) || key === prefix || !isRow(row)) continue
    const bin = key.slice(prefix.length)
    if (isSameSession || !isOfSession(bin)) rows.set(bin, row)
  }
  const { session: _, ...known } = isMeta(meta)
    ? meta
    : { v: 1 as const, client: newId(), last: 0, cursors: {} }
  return { rows, meta: session === undefined ? known : { ...known, session } }
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
  const ours = [...all].filter(([key, row]) => key.startsWith(prefixOf(tag)) && (isRow(row) || isMeta(row)))
  return new Map(ours.map(([key]) => [key, undefined]))
}

function prefixOf(tag: string): string {
  return `${REPLICAS}${tag === '' ? 'new' : tag}/`
}

function isRow(value: unknown): value is ReplicaRow {
  return isObject(value) && value.v === 1 && Array.isArray(value.sent)
}

function isMeta(value: unknown): value is ReplicaMeta {
  return isObject(value) && value.v === 1 && typeof value.client === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
