import type { Bins } from '../core/bins.ts'
import { utf8Length } from '../core/cookie.ts'
import { type BinText, toText } from '../core/data.ts'
import type { BinName, Definition, Definitions } from '../core/definition.ts'
import { BinsError } from '../core/error.ts'
import type { OnEvent } from '../core/event.ts'
import { MAX_BIN_BYTES } from '../core/limits.ts'
import { type KeptText, openReader } from '../core/reader.ts'
import type { SyncProblem } from './endpoint.ts'
import type { Local } from './local.ts'
import { openPageCookies } from './storages/cookie.ts'
import type { SyncResult } from './sync.ts'

/** Options of {@link openBins}. */
export interface ClientOptions {
  /**
   * How long to wait for a first answer of the server, in ms: only when this browser has a visitor and no copy of its
   * bins yet. Default 0: `openBins` does not wait for the network.
   */
  wait?: number
  /** Sends requests. Default the page's `fetch`. */
  fetch?: typeof globalThis.fetch
  /** Receives what the owner may want to log or count. */
  onEvent?: OnEvent
  /** The present, in ms since the Unix epoch. Default `Date.now`. */
  clock?: () => number
  /** A number from 0 to 1. Default `Math.random`. */
  random?: () => number
  /** Calls back after some ms; what it returns takes the call back. Default `setTimeout`. */
  timer?: (run: () => void, ms: number) => () => void
}

/** Where the sync of this page stands. */
export interface Status {
  /** Nothing to do, exchanging, waiting to try again, or paused until something changes. */
  readonly phase: 'idle' | 'syncing' | 'waiting' | 'paused'
  /** Number of edits that the server has not answered for. */
  readonly pending: number
  /** How long the oldest of them has been waiting, in ms. */
  readonly oldestPendingMs: number
  /** Where device bins and the copies of server bins are kept; `memory`: only as long as the page lives. */
  readonly storage: { readonly kind: 'indexeddb' | 'memory' | 'none'; readonly reason?: string }
  /** When the last exchange succeeded, in ms since the Unix epoch. */
  readonly lastSyncedAt: number | undefined
  /** What keeps the sync, or the browser's cookies, from working. */
  readonly problem: SyncProblem | 'not-kept' | undefined
}

/** The bins of this browser's visitor. */
export interface ClientBins<D extends Definitions = Definitions> extends Bins<D> {
  /**
   * Exchanges edits and changes with the server, now.
   *
   * @returns What became of the edits.
   * @throws {@link BinsError} `SYNC_FAILED`; the edits stay, and will be sent again.
   */
  sync(): Promise<SyncResult>
  /** The last edit of a server bin that the server refused, with its reasons. */
  rejected(
    name: BinName<D>,
  ): { readonly data: unknown; readonly issues: ReadonlyArray<{ message: string }> } | undefined
  /** Makes the refused edit once more. */
  retry(name: BinName<D>): Promise<void>
  /** Gives the refused edit up. */
  discard(name: BinName<D>): Promise<void>
  /** Where the sync stands. */
  status(): Status
  /** Calls a listener after each change of {@link ClientBins.status}. Returns what ends that. */
  watch(listener: (status: Status) => void): () => void
  /** Reads cookies and rows again: another tab or a response may have changed them. */
  refresh(): Promise<void>
  /** Ends the sync and lets go of the database. Later edits throw `CLOSED`. */
  close(): Promise<void>
}

/**
 * Opens the bins of this browser's visitor.
 *
 * @returns As soon as this device's own storage has answered; never waits for the network, unless told to.
 */
export async function openBins<D extends Definitions>(
  definitions: D,
  options: ClientOptions = {},
): Promise<ClientBins<D>> {
  const { wait = 0, onEvent, clock = Date.now, random = Math.random, timer = startTimer } = options
  const cookies = openPageCookies(definitions, { clock, onEvent })
  const reader = openReader(definitions, find, onEvent)
  const watchers = new Set<(status: Status) => void>()
  const local = await openLocal()
  let isClosed = false

  async function openLocal(): Promise<Local | undefined> {
    const { names, others } = definitions
    const all = [...names.map(definitions.find), ...(others ? [others] : [])]
    if (!all.some(needsRows)) return undefined
    // Pages that keep only cookies do not load the rest.
    const { openLocal: open } = await import('./local.ts')
    const onChange = () => {
      reader.changed()
      tell()
    }
    const send = options.fetch ?? globalThis.fetch.bind(globalThis)
    return open({
      definitions,
      cookies,
      fetch: send,
      wait,
      clock,
      random,
      timer,
      onEvent,
      onChange,
      onStatus: tell,
    })
  }

  function find(definition: Definition): KeptText | undefined {
    if (definition.storage === 'cookie') return cookies.find(definition)
    const kept = definition.browser === 'none' ? undefined : local?.find(definition)
    return kept && { ...kept, trusted: true }
  }

  function tell(): void {
    if (watchers.size === 0) return
    const present = status()
    for (const listener of watchers) guard(() => listener(present))
  }

  function status(): Status {
    const known = local?.status() ?? NOTHING_LOCAL
    const problem = known.problem ?? (cookies.unkept.length > 0 ? 'not-kept' : undefined)
    return { ...known, problem }
  }

  function writable(name: string): Definition {
    if (isClosed) throw new BinsError('CLOSED', 'These bins were closed.')
    const definition = definitions.find(name)
    if (definition.browser !== 'write') {
      throw new BinsError('READ_ONLY', `Bin ${JSON.stringify(name)} can be changed by the server only.`, {
        bin: name,
      })
    }
    if (reader.isOutdated(name)) {
      throw new BinsError(
        'OUTDATED',
        `A newer version of this program wrote bin ${JSON.stringify(name)}; reload the page.`,
        { bin: name },
      )
    }
    return definition
  }

  /** Names of all bins that may hold data, others than the defined ones included. */
  function knownNames(): string[] {
    const names = new Set([...definitions.names, ...cookies.names(), ...(local?.names() ?? [])])
    return [...names].filter(definitions.knows)
  }

  function textFor(definition: Definition, data: unknown): BinText | undefined {
    if (data === null) return undefined
    const text = toText(definition, data)
    if (definition.storage !== 'cookie') checkBinSize(definition.name, text)
    return { text, version: definition.version }
  }

  function edit(
    definition: Definition,
    compute: (kept: BinText | undefined) => BinText | undefined,
    strict: boolean,
  ) {
    if (definition.storage === 'cookie') {
      cookies.set(definition, compute(cookies.find(definition))?.text ?? null)
      reader.changed(definition.name)
      tell()
      return Promise.resolve()
    }
    if (!local) throw new BinsError('NOT_KEPT', 'This file keeps cookies only; load the complete one.')
    return local.edit({ definition, compute, strict, at: clock() })
  }

  async function save(): Promise<void> {
    await local?.flush()
    const [bin] = cookies.unkept
    if (bin === undefined) return
    throw new BinsError('NOT_KEPT', `The browser does not keep the cookie of bin ${JSON.stringify(bin)}.`, {
      bin,
    })
  }

  return {
    // The reader's data went through the bin's schema.
    get: (name: string) => reader.get(name) as never,
    set(name: string, data: unknown) {
      const definition = writable(name)
      const kept = textFor(definition, data)
      // Whether it was stored is for save() and the event to tell.
      edit(definition, () => kept, false).catch(() => {})
    },
    has: (name: string) => reader.has(name),
    loaded(name: string) {
      const definition = definitions.find(name)
      if (definition.storage === 'cookie' || reader.has(name)) return true
      return definition.browser !== 'none' && (local?.isLoaded(definition) ?? false)
    },
    async update(name: string, change: (data: never) => unknown) {
      const definition = writable(name)
      const compute = (kept: BinText | undefined) =>
        // The reader's data went through the bin's schema.
        textFor(definition, change(reader.read(definition, kept && { ...kept, trusted: true }) as never))
      if (definition.storage === 'cookie')
        await withLock(definitions, name, () => edit(definition, compute, true))
      else await edit(definition, compute, true)
      return reader.get(name) as never
    },
    subscribe: (name: string, listener: (data: never) => void) =>
      reader.subscribe(name, (data) => guard(() => listener(data as never))),
    save,
    async clear() {
      for (const name of knownNames()) {
        const definition = definitions.find(name)
        if (definition.storage === 'cookie' && definition.browser !== 'none') cookies.set(definition, null)
      }
      await local?.clear()
      reader.changed()
      tell()
    },
    names: () => knownNames().filter(reader.has),
    sync: () => local?.sync() ?? Promise.resolve({ accepted: [], merged: [], superseded: [], rejected: [] }),
    rejected(name: string) {
      const definition = definitions.find(name)
      const draft = local?.rejected(name)
      if (!draft) return undefined
      const kept = draft.kept && { ...draft.kept, trusted: true }
      return { data: kept ? reader.read(definition, kept) : null, issues: draft.issues }
    },
    async retry(name: string) {
      const definition = writable(name)
      const draft = local?.rejected(name)
      if (!draft) return
      await edit(definition, () => draft.kept, false)
      await local?.discard(name)
    },
    discard: async (name: string) => local?.discard(name),
    status,
    watch(listener) {
      watchers.add(listener)
      return () => {
        watchers.delete(listener)
      }
    },
    async refresh() {
      await local?.reload()
      reader.changed()
    },
    async close() {
      isClosed = true
      await local?.close()
    },
  }
}

const NOTHING_LOCAL: Status = {
  phase: 'idle',
  pending: 0,
  oldestPendingMs: 0,
  storage: { kind: 'none' },
  lastSyncedAt: undefined,
  problem: undefined,
}

/** Calls a listener of the page. What it throws is an error of the page: no edit and no sync fails with it. */
function guard(call: () => void): void {
  try {
    call()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function needsRows({ storage, browser }: Definition): boolean {
  return storage === 'device' || (storage === 'server' && browser !== 'none')
}

function checkBinSize(name: string, text: string): void {
  const bytes = utf8Length(text)
  if (bytes <= MAX_BIN_BYTES) return
  throw new BinsError(
    'TOO_LARGE',
    `Bin ${JSON.stringify(name)} has ${bytes} bytes; ${MAX_BIN_BYTES} are allowed. Keep larger data in a database of its own.`,
    { bin: name },
  )
}

/** Lets one tab at a time change a cookie bin, where the browser has Web Locks. */
async function withLock(definitions: Definitions, name: string, work: () => Promise<void>): Promise<void> {
  // Absent in insecure contexts and before Safari 15.4.
  const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks
  let isBegun = false
  const begin = async () => {
    isBegun = true
    // Not handed over as it is: Node 24 never releases a lock whose callback throws at once.
    await work()
  }
  try {
    await (locks ? locks.request(`breadbin:${definitions.cookie.prefix}:${name}`, begin) : begin())
  } catch (error) {
    // A sandboxed document gets no lock, and shares no cookie with anybody.
    if (isBegun) throw error
    await work()
  }
}

function startTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}
