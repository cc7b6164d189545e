import { type BinText, toOwn } from '../core/definition/bin-text.ts'
import { openConsent, toCategories } from '../core/definition/consent.ts'
import type { Definition, Definitions } from '../core/definition/definition.ts'
import { BinsError } from '../core/error.ts'
import { MAX_BIN_BYTES } from '../core/limits.ts'
import { type KeptText, openReader } from '../core/reader.ts'
import { utf8Length } from '../core/utf8.ts'
import type { BinsOptions, ClientBins, Status } from './client-bins.ts'
import type { Local } from './local.ts'
import type { Page } from './page/page.ts'
import { openTabs, type Shared } from './page/tabs.ts'

/** How long another tab may be editing a cookie before this one does not wait for it any more, in ms. */
const LOCK_MS = 5_000

/** Opens the bins of the visitor in a page. */
export async function openPageBins<D extends Definitions>(
  page: Page,
  definitions: D,
  { wait = 0, snapshot, consent: agreed, logout = 'drop', onEvent }: BinsOptions,
): Promise<ClientBins<D>> {
  const { cookies, clock } = page
  const reader = openReader(definitions, find, { onEvent })
  const watchers = new Set<(status: Status) => void>()
  const tabs = openTabs(page, reread)
  let isClosed = false
  let lastStatus = NOTHING_LOCAL
  /** What the watchers were told last. */
  let toldStatus = lastStatus
  let granted: ReadonlySet<string> | undefined
  const consent = openConsent(() => granted)
  /** Opened as the last part: until then, nothing is known but cookies. */
  let local: Local | undefined
  for (const definition of definitions.names.map(definitions.find)) {
    if (definition.storage === 'cookie') cookies.renew(definition)
  }
  local = await openLocal()
  // Whether it was stored is for save() to tell.
  if (agreed) await agree(agreed).catch(() => {})

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
    return open({
      page,
      definitions,
      wait,
      snapshot,
      logout,
      onEvent,
      onChange,
      onStatus: tell,
      onStored: () => tabs.tell('rows'),
    })
  }

  /** Another page of this browser, or a response, may have changed something. */
  function reread(changed: Shared): void {
    // What cannot be read now is read with the next edit.
    if (changed === 'rows') local?.reload().catch(() => {})
    else reader.changed()
  }

  function find(definition: Definition): KeptText | undefined {
    if (!consent.allows(definition)) {
      const held = consent.held.get(definition.name)
      return held && { ...held, trusted: true }
    }
    if (definition.storage === 'cookie') return cookies.find(definition)
    const kept = definition.browser === 'none' ? undefined : local?.find(definition)
    return kept && { ...kept, trusted: true }
  }

  function tell(): void {
    if (watchers.size === 0) return
    const present = status()
    if (present === toldStatus) return
    toldStatus = present
    for (const listener of watchers) callListener(() => listener(present))
  }

  function status(): Status {
    const known = local?.status() ?? NOTHING_LOCAL
    const problem = known.problem ?? (cookies.unkept.length > 0 ? 'not-kept' : undefined)
    const present = { ...known, problem }
    // Frameworks that compare what they get would render for ever.
    if (JSON.stringify(present) !== JSON.stringify(lastStatus)) lastStatus = present
    return lastStatus
  }

  function writable(name: string): Definition {
    if (isClosed) throw new BinsError('CLOSED', 'These bins were closed.')
    const definition = definitions.find(name)
    if (definition.browser !== 'write') {
      throw new BinsError('READ_ONLY', `Bin ${JSON.stringify(name)} can be changed by the server only.`, {
        bin: name,
      })
    }
    if (reader.isOutdated(definition)) {
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
    const stored = [...cookies.names(), ...(local?.names() ?? [])]
    const names = new Set([...definitions.names, ...stored, ...consent.held.keys()])
    return [...names].filter(definitions.knows)
  }

  function textFor(definition: Definition, data: unknown): BinText | undefined {
    if (data === null) return undefined
    const own = toOwn(definition, data)
    const { text } = own
    if (definition.storage !== 'cookie') checkBinSize(definition.name, text)
    reader.expect(definition, own)
    return { text, version: definition.version }
  }

  function edit(
    definition: Definition,
    compute: (kept: BinText | undefined) => BinText | undefined,
    strict: boolean,
  ) {
    if (!consent.allows(definition)) {
      const kept = compute(consent.held.get(definition.name))
      if (kept) consent.held.set(definition.name, kept)
      else consent.held.delete(definition.name)
      reader.changed(definition.name)
      return Promise.resolve()
    }
    if (definition.storage === 'cookie') {
      cookies.set(definition, compute(cookies.find(definition))?.text ?? null)
      reader.changed(definition.name)
      tabs.tell('cookies')
      tell()
      return Promise.resolve()
    }
    if (!local) throw new BinsError('NOT_KEPT', 'This file keeps cookies only; load the complete one.')
    return local.edit({ definition, compute, strict, at: clock() })
  }

  /** Edits a cookie while no other tab does, unless that takes too long: the system may have stopped the other one. */
  async function editCookie(definition: Definition, compute: Parameters<typeof edit>[1]): Promise<void> {
    const patience = new AbortController()
    const stop = page.timer(() => patience.abort(), LOCK_MS)
    const work = async () => {
      // Firefox's processes have copies of the cookies: a lock alone keeps no two of them from editing the same text.
      await cookies.agree?.(definition)
      await edit(definition, compute, true)
      await cookies.agree?.(definition)
    }
    try {
      await page.lock(`bin:${definition.name}`, work, patience.signal)
    } finally {
      stop()
    }
  }

  /** Keeps what this page holds of bins that may be kept now, and deletes what is kept of those that may not. */
  function agree(categories: readonly string[]): Promise<void> {
    granted = toCategories(categories)
    for (const [name, kept] of consent.held) {
      const definition = definitions.find(name)
      if (!consent.allows(definition)) continue
      consent.held.delete(name)
      edit(definition, () => kept, false).catch(() => {})
    }
    for (const definition of knownNames().map(definitions.find)) {
      if (consent.forbids(definition)) forget(definition)
    }
    reader.changed()
    tell()
    return save()
  }

  /** Deletes what is kept of a bin, as far as a page can. */
  function forget(definition: Definition): void {
    const { name, storage, browser } = definition
    if (storage === 'cookie') {
      if (browser !== 'none' && cookies.names().includes(name)) cookies.set(definition, null)
      tabs.tell('cookies')
    } else if (browser === 'write' && local?.find(definition)) {
      local.edit({ definition, compute: () => undefined, strict: false, at: clock() }).catch(() => {})
    }
  }

  async function save(): Promise<void> {
    await local?.flush()
    await cookies.flush?.()
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
      if (definition.browser === 'none') return false
      if (definition.storage === 'cookie' || reader.has(name) || !consent.allows(definition)) return true
      return local?.isLoaded(definition) ?? false
    },
    async update(name: string, change: (data: never) => unknown) {
      const definition = writable(name)
      const compute = (kept: BinText | undefined) =>
        // The reader's data went through the bin's schema.
        textFor(definition, change(reader.read(definition, kept && { ...kept, trusted: true }) as never))
      if (definition.storage === 'cookie') await editCookie(definition, compute)
      else await edit(definition, compute, true)
      return reader.get(name) as never
    },
    subscribe: (name: string, listener: (data: never) => void) =>
      reader.subscribe(name, (data) => callListener(() => listener(data as never))),
    save,
    consent: agree,
    async clear() {
      consent.held.clear()
      for (const name of knownNames()) {
        const definition = definitions.find(name)
        if (definition.storage === 'cookie' && definition.browser !== 'none') cookies.set(definition, null)
      }
      tabs.tell('cookies')
      await local?.clear()
      reader.changed()
      tell()
    },
    names: () => knownNames().filter(reader.has),
    sync: () => local?.sync() ?? Promise.resolve({ accepted: [], merged: [], superseded: [], rejected: [] }),
    pending: (name: string) => local?.isPending(definitions.find(name)) ?? false,
    rejected(name: string) {
      const definition = definitions.find(name)
      const draft = local?.rejected(definitions.find(name))
      if (!draft) return undefined
      const kept = draft.kept && { ...draft.kept, trusted: true }
      return { data: kept ? reader.read(definition, kept) : null, issues: draft.issues }
    },
    async retry(name: string) {
      const definition = writable(name)
      const draft = local?.rejected(definitions.find(name))
      if (!draft) return
      await edit(definition, () => draft.kept, false)
      await local?.discard(definitions.find(name))
    },
    discard: async (name: string) => local?.discard(definitions.find(name)),
    fetch: page.fetch,
    status,
    watch(listener) {
      if (watchers.size === 0) toldStatus = status()
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
      tabs.close()
      await local?.close()
      await page.close?.()
    },
  }
}

const NOTHING_LOCAL: Status = {
  phase: 'idle',
  pending: 0,
  pendingSince: undefined,
  storage: { kind: 'none' },
  lastSyncedAt: undefined,
  problem: undefined,
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

/** Calls a listener of the page. What it throws is an error of the page: no edit and no sync fails with it. */
function callListener(call: () => void): void {
  try {
    call()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
