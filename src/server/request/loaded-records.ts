import type { Definition } from '../../core/definition/definition.ts'
import type { BinsRecord, Row } from '../../core/sync/record.ts'
import type { AnswerPart } from '../../core/sync/wire.ts'
import { visitorTag } from '../identity/token.ts'
import { userTag } from '../identity/user.ts'
import type { RequestOwner } from '../owner/owner.ts'
import type { ServerParts } from '../parts.ts'
import { snapshotOf } from '../records/changes.ts'
import { isUserPlace, storeOf, userPlace } from '../records/record-ref.ts'
import type { Visitor } from './server-bins.ts'

/** The records that a request has read, by the places of its bins. */
export interface LoadedRecords {
  /** Where a bin lives: what follows a user is the visitor's as long as nobody is logged in. */
  placeOf(definition: Definition): string
  /** Whether nobody knows whose a bin is: what is the visitor's may be anybody's then. */
  isNobodys(definition: Definition): boolean
  /** The row of a bin. */
  rowOf(definition: Definition): Row | undefined
  /** Reads the record of a place, unless that is done. */
  load(place: string): Promise<void>
  /** The record of a place. */
  at(place: string): BinsRecord | undefined
  /** Takes notice of a record that was written. */
  put(place: string, record: BinsRecord): void
  /** Forgets what is the visitor's, or all. */
  forget(what: 'visitor' | 'all'): void
  /** Names of the bins in the records. */
  names(): string[]
  /** What a browser may see of these records. */
  snapshot(isIncluded: (place: string) => boolean): AnswerPart[]
  /** Public name of the visitor, or of the user who is logged in; `undefined` if there is none. */
  tagOf(owner: 'visitor' | 'user'): string | undefined
  /** The visitor, as far as it is known. */
  visitor(): Visitor | undefined
}

/** Opens the records of a request; reads none. */
export function openLoadedRecords(
  { definitions, clock }: ServerParts,
  { visitor, user, records }: RequestOwner,
): LoadedRecords {
  const loaded = new Map<string, BinsRecord>()

  function placeOf({ scope, store }: Definition): string {
    return scope === 'user' && typeof user.key === 'string' ? userPlace(store) : store
  }

  function isNobodys({ scope }: Definition): boolean {
    return scope === 'user' && user.key === undefined
  }

  function tagOf(owner: 'visitor' | 'user'): string | undefined {
    if (owner === 'user') return user.key ? userTag(user.key) : undefined
    return visitor.token && visitorTag(visitor.token)
  }

  return {
    placeOf,
    isNobodys,
    tagOf,

    rowOf: (definition) =>
      isNobodys(definition) ? undefined : loaded.get(placeOf(definition))?.bins.get(definition.name),

    async load(place) {
      const record = loaded.has(place) ? undefined : await records.read(place)
      // An update may have been quicker.
      if (record && !loaded.has(place)) loaded.set(place, record)
    },

    at: (place) => loaded.get(place),
    put: (place, record) => void loaded.set(place, record),

    forget(what) {
      for (const place of loaded.keys()) if (what === 'all' || !isUserPlace(place)) loaded.delete(place)
    },

    names: () => [...loaded.values()].flatMap(({ bins }) => [...bins.keys()]),

    snapshot(isIncluded) {
      return [...loaded].flatMap(([place, record]) => {
        const tag = tagOf(isUserPlace(place) ? 'user' : 'visitor')
        const telling = { definitions, store: storeOf(place), session: visitor.session, now: clock() }
        return tag !== undefined && isIncluded(place) ? [snapshotOf(record, tag, telling)] : []
      })
    },

    visitor() {
      const tag = tagOf('visitor')
      const record = loaded.get('default') ?? visitor.record
      return tag === undefined ? undefined : record && { tag, created: record.created }
    },
  }
}
