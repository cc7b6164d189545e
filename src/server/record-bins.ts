import type { Definition } from '../core/definition.ts'
import type { KeptText } from '../core/reader.ts'
import { type ApplyOptions, type BinsRecord, createRecord, type Row } from '../core/record.ts'
import type { AnswerPart } from '../core/wire.ts'
import { snapshotOf } from './changes.ts'
import { applyEdits, type Edit, textIn } from './edits.ts'
import { gone, headSent, unreadableRecord } from './errors.ts'
import type { Jar } from './jar.ts'
import { openOutage } from './outage.ts'
import type { ServerParts } from './server.ts'
import { visitorTag } from './token.ts'
import { openVisitor } from './visitor.ts'
import { freshMark, openVisitorRecords } from './visitor-records.ts'

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
}

/** Circumstances of {@link openRecordBins}. */
export interface RecordBinsOptions {
  /** Whether another site caused the request. */
  readonly isCrossSite: () => boolean
  /** Whether a response is there to take cookies. */
  readonly canSetCookie: () => boolean
}

/** Opens the server bins of a request. */
export function openRecordBins(parts: ServerParts, jar: Jar, options: RecordBinsOptions): RecordBins {
  const { definitions, stores, clock, random } = parts
  const { canSetCookie } = options
  const outage = openOutage(parts)
  const visitor = openVisitor(outage.parts, jar, options)
  const records = openVisitorRecords(outage.parts, visitor, canSetCookie)
  const loaded = new Map<string, BinsRecord>()
  const edits = new Map<string, Edit>()
  let lastTurn: Promise<unknown> = Promise.resolve()

  function rowOf({ name, store }: Definition): Row | undefined {
    return loaded.get(store)?.bins.get(name)
  }

  function keptIn(row: Row | undefined): KeptText | undefined {
    const text = textIn(row, clock(), visitor.session)
    return text && { ...text, trusted: true }
  }

  function editsOf(store: string): Edit[] {
    return [...edits.values()].filter(({ definition }) => definition.store === store)
  }

  function circumstances(mark = freshMark(random)): ApplyOptions {
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
    await visitor.load()
    if (visitor.isUnreadable) throw unreadableRecord()
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
    loaded.clear()
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
    store: string,
    these: readonly Edit[],
    change: (record: BinsRecord) => BinsRecord,
  ): Promise<boolean> {
    const changed = await records.change(store, (record) => ({ record: change(record) }))
    if (!changed) return false
    loaded.set(store, changed.record)
    visitor.presentSession()
    // But not an edit that was made while this one was being written.
    for (const edit of these) if (edits.get(edit.definition.name) === edit) edits.delete(edit.definition.name)
    return true
  }

  async function saveEdits(): Promise<void> {
    if (edits.size === 0) return
    await identify()
    const these = [...edits.values()]
    if (!visitor.token && !keepsAnything(these)) return edits.clear()
    startSession(these)
    await asVisitor(writeEdits)
    if (these.some(({ text }) => text === null)) await records.dismissIfEmpty()
  }

  async function writeEdits(): Promise<boolean> {
    let isWritten = false
    for (const store of stores) {
      const these = editsOf(store)
      if (these.length === 0) continue
      const isThere = await changeRecord(store, these, (record) => applyEdits(record, these, circumstances()))
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
    const { name, store } = definition
    await identify()
    if (!visitor.token && !keepsAnything(editsOf(store)) && change(undefined) === null) return
    startSession([...editsOf(store), { definition, text: '' }])
    let isDeleted = false
    await asVisitor(() => {
      const own = editsOf(store)
      return changeRecord(store, own, (record) => {
        const before = applyEdits(record, own, circumstances())
        const from = before.bins.get(name)
        const text = change(keptIn(from))
        isDeleted = text === null
        return applyEdits(before, [{ definition, text, at: clock(), from }], circumstances())
      })
    })
    if (isDeleted) await records.dismissIfEmpty()
  }

  async function load(store: string): Promise<void> {
    const record = loaded.has(store) ? undefined : await records.read(store)
    // An update may have been quicker.
    if (record && !loaded.has(store)) loaded.set(store, record)
  }

  return {
    async load(wanted) {
      await outage.tolerate(visitor.load)
      for (const store of new Set(wanted.map(({ store }) => store))) {
        await outage.tolerate(() => load(store))
      }
    },

    isDown: () => outage.isNoted,

    find(definition) {
      const edit = edits.get(definition.name)
      if (!edit) return keptIn(rowOf(definition))
      return edit.text === null ? undefined : { text: edit.text, version: definition.version, trusted: true }
    },

    set(definition, text) {
      outage.check()
      const needsCookie = (text !== null && !visitor.token) || startsSession({ definition, text })
      if (needsCookie && !canSetCookie()) throw headSent()
      const edit = { definition, text, at: clock(), from: rowOf(definition) }
      const others = editsOf(definition.store).filter((other) => other.definition.name !== definition.name)
      // Nothing but a trial: what saving would throw is thrown where somebody can do something about it.
      applyEdits(loaded.get(definition.store) ?? emptyRecord(), [...others, edit], circumstances(''))
      edits.set(definition.name, edit)
    },

    update(definition, change) {
      const run = () => update(definition, change)
      // Without edits to take along, updates may run at once, and are written together.
      return editsOf(definition.store).length === 0 ? run() : inTurn(run)
    },

    save: () => inTurn(saveEdits),

    clear: () =>
      inTurn(async () => {
        edits.clear()
        await identify()
        if (visitor.token) await records.erase()
        loaded.clear()
        visitor.dismiss()
      }),

    discard: () => edits.clear(),

    names: () => [...[...loaded.values()].flatMap(({ bins }) => [...bins.keys()]), ...edits.keys()],

    snapshot() {
      const { token, session } = visitor
      if (!token || outage.isNoted) return []
      const saved = [...loaded].filter(([store]) => editsOf(store).length === 0)
      return saved.map(([store, record]) =>
        snapshotOf(record, visitorTag(token), { definitions, store, session, now: clock() }),
      )
    },

    unsaved: () => [...edits.keys()],

    needsCookie() {
      return (!visitor.token && keepsAnything([...edits.values()])) || [...edits.values()].some(startsSession)
    },

    visitor() {
      const { token } = visitor
      const record = loaded.get('default') ?? visitor.record
      return token && record && { tag: visitorTag(token), created: record.created }
    },
  }
}

/** Deleting what a nobody never had makes no visitor. */
function keepsAnything(edits: readonly Edit[]): boolean {
  return edits.some(({ text }) => text !== null)
}
