import type { Definition } from '../core/definition.ts'
import { BinsError } from '../core/error.ts'
import { SESSION_IDLE } from '../core/limits.ts'
import { mergeTexts } from '../core/merge.ts'
import type { KeptText } from '../core/reader.ts'
import { apply, type BinsRecord, erase, isEmpty, isLive, type Op, type Row } from '../core/record.ts'
import type { Jar } from './jar.ts'
import { liveUntil } from './records.ts'
import type { ServerParts } from './server.ts'
import { type Token, visitorKey, visitorTag } from './token.ts'
import { freshMark, newRecord, openVisitor } from './visitor.ts'

/** The server bins of one request. */
export interface RequestRecords {
  /** Loads the records that these bins live in. */
  load(definitions: readonly Definition[]): Promise<void>
  /** What a bin holds: the edit of this request, else what was loaded. */
  find(definition: Definition): KeptText | undefined
  /** Buffers an edit until {@link RequestRecords.save}. */
  set(definition: Definition, text: string | null): void
  /** Changes a bin by compare-and-set, at once, together with the buffered edits of its record. */
  update(definition: Definition, change: (kept: KeptText | undefined) => string | null): Promise<void>
  /** Writes the buffered edits, and says in the jar what the visitor's cookies are to be. */
  save(): Promise<void>
  /** Erases the visitor: the records become gravestones, the cookies go. */
  clear(): Promise<void>
  /** Gives up the buffered edits. */
  discard(): void
  /** Names of the bins in the loaded records. */
  names(): string[]
  /** Names of the bins with buffered edits. */
  readonly unsaved: readonly string[]
  /** Whether {@link RequestRecords.save} has something to write. */
  readonly isEdited: boolean
  /** Whether saving would have to make a visitor. */
  readonly needsCookie: boolean
  /** The visitor, as far as it is known. */
  readonly visitor: { readonly tag: string; readonly created: number } | undefined
}

interface Edit {
  readonly definition: Definition
  readonly text: string | null
  readonly at: number
  /** The row that was loaded, on which the edit was made. */
  readonly from: Row | undefined
}

type Change = (record: BinsRecord) => BinsRecord

/** Opens the server bins of a request. */
export function openServerBins(
  parts: ServerParts,
  jar: Jar,
  options: { isCrossSite: () => boolean; isHeadSent: () => boolean },
): RequestRecords {
  const { definitions, records, clock, random } = parts
  const visitor = openVisitor(parts, jar, options)
  const loaded = new Map<string, BinsRecord>()
  const edits = new Map<string, Edit>()

  async function loadStore(store: string): Promise<void> {
    if (loaded.has(store) || !visitor.token) return
    const record = store === 'default' ? visitor.record : await records(store).read(visitorKey(visitor.token))
    if (record && record.erased === undefined) loaded.set(store, record)
  }

  function rowOf({ name, store }: Definition): Row | undefined {
    return loaded.get(store)?.bins.get(name)
  }

  function keptIn(row: Row | undefined): KeptText | undefined {
    return isLive(row, clock(), visitor.session) ? { text: row.text, version: row.version, trusted: true } : undefined
  }

  function editsOf(store: string): Edit[] {
    return [...edits.values()].filter(({ definition }) => definition.store === store)
  }

  /** Applies the edits of a record; where their rule needs it, merged with what others have made of the bin. */
  function applyEdits(record: BinsRecord, these: readonly Edit[]): BinsRecord {
    let after = record
    for (const edit of these) {
      const op = toOp(edit, clock())
      const first = applyOp(after, op)
      if (first.state === 'ok') {
        after = first.record
        continue
      }
      const { definition, text, from } = edit
      const { version } = definition
      const merged = mergeTexts(definition, {
        base: keptIn(from),
        mine: text === null ? undefined : { text, version },
        theirs: keptIn(first.row),
      })
      const { text: _, ...rest } = op
      const again = { ...rest, base: first.row?.rev ?? 0, ...textOf(merged ?? text) }
      after = applyOp(after, again).record
    }
    return after
  }

  function applyOp(record: BinsRecord, op: Op): { record: BinsRecord; state: 'ok' | 'conflict'; row: Row | undefined } {
    const options = { find: definitions.find, now: clock(), mark: freshMark(random), session: visitor.session }
    const { record: after, results } = apply(record, [op], options)
    const { state, row } = results[0] ?? { state: 'conflict' as const, row: undefined }
    if (state === 'too-large') throw tooLarge(op.bin)
    if (state === 'outdated') throw outdated(op.bin)
    return { record: after, state: state === 'ok' ? 'ok' : 'conflict', row }
  }

  /** Writes a change of the record in the default store, and the visitor's cookies; mints a visitor if there is none. */
  async function changeHead(change: Change, isNeeded: boolean): Promise<void> {
    const known = visitor.token
    if (!known && !isNeeded) return
    const token = known ?? mint()
    const changed = await records('default').change(visitorKey(token), (found) => {
      if (found?.erased !== undefined) throw gone()
      if (!found && known) return { result: undefined }
      const before = found ?? visitor.createHead(token)
      const after = change(before)
      const until = Math.max(liveUntil(after, clock()), lifeOfEdits())
      const next = options.isHeadSent() ? after : visitor.renew(after, until)
      return { next, result: { next, before } }
    })
    // The record expired, or was evicted, since it was loaded: whoever still writes is a new visitor.
    if (!changed) {
      mint()
      await changeHead(change, isNeeded)
      return
    }
    loaded.set('default', changed.next)
    if (changed.next.cookieUntil !== changed.before.cookieUntil) visitor.present(token, changed.next.cookieUntil)
  }

  function mint(): Token {
    checkHead()
    loaded.clear()
    return visitor.mint()
  }

  function checkHead(): void {
    if (options.isHeadSent()) throw headSent()
  }

  /** Until when the buffered edits will live, whichever store they are in. */
  function lifeOfEdits(): number {
    let until = 0
    for (const { definition, text } of edits.values()) {
      if (text === null) continue
      const { maxAge } = definition
      until = Math.max(until, clock() + (maxAge === 'session' ? SESSION_IDLE : maxAge) * 1_000)
    }
    return until
  }

  async function changeStore(store: string, change: Change): Promise<void> {
    const { token } = visitor
    if (!token) return
    const next = await records(store).change(visitorKey(token), (found) => {
      if (found?.erased !== undefined) throw gone()
      const after = change(found ?? newRecord({ now: clock(), random, secrets: [] }))
      return { next: after, result: after }
    })
    loaded.set(store, next)
  }

  /** Whether an edit would keep anything: deleting what a nobody never had makes no visitor. */
  function keepsAnything(these: readonly Edit[]): boolean {
    return these.some(({ text }) => text !== null)
  }

  async function save(): Promise<void> {
    if (edits.size === 0) return
    const these = [...edits.values()]
    await visitor.load()
    const own = editsOf('default')
    await changeHead((record) => applyEdits(record, own), keepsAnything(these))
    settle(own)
    for (const store of new Set(these.map(({ definition }) => definition.store))) {
      if (store === 'default') continue
      const others = editsOf(store)
      await changeStore(store, (record) => applyEdits(record, others))
      settle(others)
    }
    await dismissIfEmpty()
  }

  /** Forgets edits that are kept, but not those that were made while they were being written. */
  function settle(kept: readonly Edit[]): void {
    for (const edit of kept) if (edits.get(edit.definition.name) === edit) edits.delete(edit.definition.name)
  }

  function startSession({ maxAge }: Definition): void {
    if (maxAge !== 'session' || visitor.session !== undefined) return
    checkHead()
    visitor.startSession()
  }

  /** The last bin was deleted: the browser goes back to having no cookie, unless a parallel request has just written. */
  async function dismissIfEmpty(): Promise<void> {
    const { token } = visitor
    if (!token || options.isHeadSent() || !isEmptyRecord(loaded.get('default'))) return
    for (const store of storeNames()) {
      const record = store === 'default' ? undefined : await records(store).read(visitorKey(token), { fresh: true })
      if (!isEmptyRecord(record)) return
    }
    const stillEmpty = await records('default').change(visitorKey(token), (found) => {
      if (!found || found.erased !== undefined || !isEmpty(found, clock())) return { result: false }
      return { next: { ...found, cookieUntil: 0 }, result: true }
    })
    if (stillEmpty) visitor.dismiss()
  }

  function isEmptyRecord(record: BinsRecord | undefined): boolean {
    return !record || isEmpty(record, clock())
  }

  function storeNames(): Set<string> {
    const names = definitions.names.map((name) => definitions.find(name).store)
    return new Set(['default', ...names])
  }

  return {
    async load(wanted) {
      if (wanted.length === 0) return
      await visitor.load()
      for (const store of new Set(wanted.map((definition) => definition.store))) await loadStore(store)
    },

    find(definition) {
      const edit = edits.get(definition.name)
      if (!edit) return keptIn(rowOf(definition))
      return edit.text === null ? undefined : { text: edit.text, version: definition.version, trusted: true }
    },

    set(definition, text) {
      if (text !== null) {
        if (!visitor.token) checkHead()
        startSession(definition)
      }
      edits.set(definition.name, { definition, text, at: clock(), from: rowOf(definition) })
    },

    async update(definition, change) {
      await visitor.load()
      const { name, store } = definition
      if (!visitor.token && !edits.has(name) && change(undefined) === null) return
      startSession(definition)
      const others = editsOf(store).filter((edit) => edit.definition.name !== name)
      const own = edits.get(name)
      const step: Change = (record) => {
        const before = applyEdits(record, own ? [...others, own] : others)
        const row = before.bins.get(name)
        const text = change(keptIn(row))
        return applyEdits(before, [{ definition, text, at: clock(), from: row }])
      }
      if (store === 'default') await changeHead(step, true)
      else {
        await changeHead((record) => record, true)
        await changeStore(store, step)
      }
      settle(own ? [...others, own] : others)
      await dismissIfEmpty()
    },

    save,

    async clear() {
      edits.clear()
      await visitor.load()
      const { token } = visitor
      if (!token) return
      for (const store of storeNames()) {
        await records(store).change(visitorKey(token), (found) => {
          if (!found || found.erased !== undefined) return { result: undefined }
          return { next: erase(found, clock(), freshMark(random)), result: undefined }
        })
      }
      loaded.clear()
      visitor.dismiss()
    },

    discard: () => edits.clear(),

    names: () => [...loaded.values()].flatMap((record) => [...record.bins.keys()]),

    get needsCookie() {
      return !visitor.token && keepsAnything([...edits.values()])
    },

    get unsaved() {
      return [...edits.keys()]
    },

    get isEdited() {
      return edits.size > 0
    },

    get visitor() {
      const { token, record } = visitor
      return token && record && { tag: visitorTag(token), created: record.created }
    },
  }
}

function toOp({ definition, text, at, from }: Edit, now: number): Op {
  return { n: 0, bin: definition.name, base: from?.rev ?? 0, age: now - at, version: definition.version, ...textOf(text) }
}

function textOf(text: string | null): { text?: string } {
  return text === null ? {} : { text }
}

/** A change needs a cookie and comes too late for one. */
export function headSent(): BinsError {
  return new BinsError('HEAD_SENT', 'The response head has gone out, and this change needs a cookie; make it earlier.')
}

function tooLarge(bin: string): BinsError {
  return new BinsError(
    'TOO_LARGE',
    `With bin ${JSON.stringify(bin)} the visitor's record would be over its limits: 16 KiB for a bin, 64 KiB and 100 bins in all.`,
    { bin },
  )
}

function outdated(bin: string): BinsError {
  return new BinsError('OUTDATED', `A newer version of this program wrote bin ${JSON.stringify(bin)}; it is left as it is.`, {
    bin,
  })
}

function gone(): BinsError {
  return new BinsError('GONE', 'The visitor was cleared while this request ran; nothing was written.')
}
