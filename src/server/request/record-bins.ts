import type { Definition } from '../../core/definition/definition.ts'
import type { KeptText } from '../../core/reader.ts'
import type { ApplyOptions } from '../../core/sync/apply-edits.ts'
import { type BinsRecord, createRecord, type Row } from '../../core/sync/record.ts'
import { isRenewedByReading, renewRows } from '../../core/sync/renewal.ts'
import type { AnswerPart } from '../../core/sync/wire.ts'
import { gone, headSent, noUser, unreadableRecord } from '../errors.ts'
import type { Jar } from '../http/cookie-jar.ts'
import type { RequestHead } from '../http/request-head.ts'
import { hashSecret, mintToken, type Token } from '../identity/token.ts'
import { openOutage } from '../owner/outage.ts'
import { openOwner } from '../owner/owner.ts'
import type { ServerParts } from '../parts.ts'
import { newMark } from '../records/new-record.ts'
import { isUserPlace, userPlace } from '../records/record-ref.ts'
import { applyEdits, type Edit, textIn } from './edits.ts'
import { openLoadedRecords } from './loaded-records.ts'

/** The server bins of one request. */
export interface RecordBins {
  /**
   * Loads the records that these bins live in.
   *
   * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`, unless `onStoreDown` says otherwise.
   */
  load(definitions: readonly Definition[]): Promise<void>
  /** Whether a store could not be read in this request: then nothing is written, and what is read may be out of date. */
  isDown(): boolean
  /** What a bin holds: the edit of this request, else what was loaded. */
  find(definition: Definition): KeptText | undefined
  /**
   * Buffers an edit until {@link RecordBins.save}.
   *
   * @throws {@link BinsError} `HEAD_SENT` if it needs a cookie that cannot be set any more; `TOO_LARGE`; `OUTDATED`;
   * `STORE_FAILED` if a store could not be read in this request.
   */
  set(definition: Definition, text: string | null): void
  /** Changes a bin by compare-and-set, at once, together with the buffered edits of its record. */
  update(definition: Definition, change: (kept: KeptText | undefined) => string | null): Promise<void>
  /** Writes the buffered edits, and says in the jar what the visitor's cookies are to be. */
  save(): Promise<void>
  /** Erases the visitor: the records become gravestones, the cookies go. */
  clear(): Promise<void>
  /** Starts the lifetimes of bins anew that are read, if it is time. */
  renew(definitions: readonly Definition[]): Promise<void>
  /** Gives the visitor another secret. */
  rotate(): Promise<void>
  /**
   * Makes a token by which another device becomes this visitor, once. Makes the visitor, if there is none.
   *
   * @param maxAge How long it is good for, in ms.
   */
  link(maxAge: number): Promise<Token>
  /** Gives up the buffered edits. */
  discard(): void
  /** Names of the bins in the loaded records, and of those with edits. */
  names(): string[]
  /** What a browser may see of the records that are loaded, and have no edits that are not saved. */
  snapshot(): AnswerPart[]
  /** Names of the bins with buffered edits. */
  unsaved(): string[]
  /** Whether saving will have to set a cookie. */
  needsCookie(): boolean
  /** The visitor, as far as it is known. */
  visitor(): { readonly tag: string; readonly created: number } | undefined
  /** Public name of the visitor, or of the user who is logged in; `undefined` if there is none. */
  tagOf(owner: 'visitor' | 'user'): string | undefined
}

/** Circumstances of {@link openRecordBins}. */
export interface RecordBinsOptions {
  /** The request. */
  readonly head: RequestHead
  /** Whether a response is there to take cookies. */
  readonly canSetCookie: () => boolean
}

/** Opens the server bins of a request. */
export function openRecordBins(parts: ServerParts, jar: Jar, options: RecordBinsOptions): RecordBins {
  const { definitions, stores, clock, random } = parts
  const { canSetCookie } = options
  const outage = openOutage(parts)
  const owner = openOwner(parts, jar, options)
  const { visitor, user, records } = owner
  const loaded = openLoadedRecords(parts, owner)
  const { placeOf, rowOf } = loaded
  const edits = new Map<string, Edit>()
  let lastTurn: Promise<unknown> = Promise.resolve()

  function keptIn(row: Row | undefined): KeptText | undefined {
    const text = textIn(row, clock(), visitor.session)
    return text && { ...text, trusted: true }
  }

  function editsOf(place: string): Edit[] {
    return [...edits.values()].filter(({ definition }) => placeOf(definition) === place)
  }

  function circumstances(mark = newMark(random)): ApplyOptions {
    return { find: definitions.find, now: clock(), mark, session: visitor.session }
  }

  function emptyRecord(): BinsRecord {
    return createRecord({ epoch: '', mark: '', now: clock() })
  }

  function startsSession({ definition, text }: Pick<Edit, 'definition' | 'text'>): boolean {
    return text !== null && definition.maxAge === 'session' && visitor.session === undefined
  }

  function startSession(these: ReadonlyArray<Pick<Edit, 'definition' | 'text'>>): void {
    if (!these.some(startsSession)) return
    if (!canSetCookie()) throw headSent()
    visitor.startSession()
  }

  async function identify(): Promise<void> {
    outage.check()
    await owner.load()
    if (visitor.isUnreadable) throw unreadableRecord()
    if (visitor.isRetired) throw gone()
  }

  /** One after the other: two writes of the same edits would merge them with themselves. */
  function inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const turn = lastTurn.then(run, run)
    lastTurn = turn
    return turn
  }

  function mint(): void {
    if (!canSetCookie()) throw headSent()
    visitor.mint()
    loaded.forget('visitor')
  }

  /**
   * Writes as the visitor of this request. Whoever has expired, or was evicted, since the record was loaded becomes a
   * new one.
   *
   * @param write Returns `false`, with nothing written, if the visitor is not there.
   */
  async function asVisitor(write: () => Promise<boolean>): Promise<void> {
    if (!visitor.token) mint()
    if (await write()) return
    mint()
    if (!(await write())) throw gone()
  }

  async function changeRecord(
    place: string,
    these: readonly Edit[],
    change: (record: BinsRecord) => BinsRecord,
  ): Promise<boolean> {
    const changed = await records.change(place, (record) => ({ record: change(record) }))
    if (!changed) return false
    loaded.put(place, changed.record)
    visitor.presentSession()
    // But not an edit that was made while this one was being written.
    for (const edit of these) if (edits.get(edit.definition.name) === edit) edits.delete(edit.definition.name)
    return true
  }

  /** Whether there is nobody who could have anything in a place. */
  function isFromNobody(place: string): boolean {
    return !visitor.token && !isUserPlace(place)
  }

  async function saveEdits(): Promise<void> {
    if (edits.size === 0) return
    await identify()
    const these = [...edits.values()]
    if (!visitor.token && typeof user.key !== 'string' && !keepsAnything(these)) return edits.clear()
    startSession(these)
    await asVisitor(writeEdits)
    if (these.some(({ text }) => text === null)) await records.dismissIfEmpty()
  }

  async function writeEdits(): Promise<boolean> {
    let isWritten = false
    for (const place of [...stores, ...stores.map(userPlace)]) {
      const these = editsOf(place)
      if (these.length === 0) continue
      const isThere = await changeRecord(place, these, (record) => applyEdits(record, these, circumstances()))
      if (!isThere && isWritten) throw gone()
      if (!isThere) return forgetDeletions()
      isWritten = true
    }
    return true
  }

  /** With the visitor, all that was to be deleted has gone. Returns whether there was nothing else to do. */
  function forgetDeletions(): boolean {
    if (keepsAnything([...edits.values()])) return false
    edits.clear()
    return true
  }

  async function update(
    definition: Definition,
    change: (kept: KeptText | undefined) => string | null,
  ): Promise<void> {
    const { name } = definition
    await identify()
    if (loaded.isNobodys(definition)) throw noUser(name)
    const place = placeOf(definition)
    if (isFromNobody(place) && !keepsAnything(editsOf(place)) && change(undefined) === null) return
    startSession([...editsOf(place), { definition, text: '' }])
    let isDeleted = false
    await asVisitor(() => {
      const own = editsOf(place)
      return changeRecord(place, own, (record) => {
        const before = applyEdits(record, own, circumstances())
        const from = before.bins.get(name)
        const text = change(keptIn(from))
        isDeleted = text === null
        return applyEdits(before, [{ definition, text, at: clock(), from }], circumstances())
      })
    })
    if (isDeleted) await records.dismissIfEmpty()
  }

  return {
    async load(wanted) {
      await outage.tolerate(owner.load)
      for (const place of new Set(wanted.map(placeOf))) await outage.tolerate(() => loaded.load(place))
    },

    isDown: outage.isNoted,

    find(definition) {
      const edit = edits.get(definition.name)
      if (!edit) return keptIn(rowOf(definition))
      return edit.text === null ? undefined : { text: edit.text, version: definition.version, trusted: true }
    },

    set(definition, text) {
      outage.check()
      if (loaded.isNobodys(definition)) throw noUser(definition.name)
      const place = placeOf(definition)
      const needsCookie = (text !== null && !visitor.token) || startsSession({ definition, text })
      if (needsCookie && !canSetCookie()) throw headSent()
      const edit = { definition, text, at: clock(), from: rowOf(definition) }
      const others = editsOf(place).filter((other) => other.definition.name !== definition.name)
      // Nothing but a trial: what saving would throw is thrown where somebody can do something about it.
      applyEdits(loaded.at(place) ?? emptyRecord(), [...others, edit], circumstances(''))
      edits.set(definition.name, edit)
    },

    update(definition, change) {
      const run = () => update(definition, change)
      // Without edits to take along, updates may run at once, and are written together.
      return editsOf(placeOf(definition)).length === 0 ? run() : inTurn(run)
    },

    save: () => inTurn(saveEdits),

    clear: () =>
      inTurn(async () => {
        edits.clear()
        await identify()
        if (visitor.token) await records.erase()
        loaded.forget('all')
        visitor.dismiss()
      }),

    renew: (read) =>
      inTurn(async () => {
        const isDue = (definition: Definition) =>
          isRenewedByReading(definition, rowOf(definition)?.expires ?? 0, clock())
        const due = visitor.token && !outage.isNoted() ? read.filter(isDue) : []
        for (const place of new Set(due.map(placeOf))) {
          const names = due.filter((definition) => placeOf(definition) === place).map(({ name }) => name)
          await changeRecord(place, [], (record) => renewRows(record, names, circumstances()))
        }
      }),

    rotate: () =>
      inTurn(async () => {
        if (!canSetCookie()) throw headSent()
        await identify()
        if (visitor.token) await records.rotate()
      }),

    link: (maxAge) =>
      inTurn(async () => {
        if (!canSetCookie()) throw headSent()
        await identify()
        if (visitor.record?.revoked !== undefined) throw gone()
        const { secret } = mintToken(random)
        await asVisitor(() => records.link({ hash: hashSecret(secret), until: clock() + maxAge }))
        // Without a visitor, this would have thrown.
        const { id } = visitor.token as Token
        return { id, secret }
      }),

    discard: () => edits.clear(),

    names: () => [...loaded.names(), ...edits.keys()],

    snapshot: () => (outage.isNoted() ? [] : loaded.snapshot((place) => editsOf(place).length === 0)),

    unsaved: () => [...edits.keys()],

    needsCookie() {
      return (!visitor.token && keepsAnything([...edits.values()])) || [...edits.values()].some(startsSession)
    },

    tagOf: loaded.tagOf,
    visitor: loaded.visitor,
  }
}

/** Deleting what a nobody never had makes no visitor. */
function keepsAnything(edits: readonly Edit[]): boolean {
  return edits.some(({ text }) => text !== null)
}
