import { toOwn } from '../../core/definition/bin-text.ts'
import type { Definition } from '../../core/definition/definition.ts'
import { MAX_BIN_BYTES } from '../../core/limits.ts'
import { type KeptText, openReader } from '../../core/reader.ts'
import { PROTOCOL } from '../../core/sync/wire.ts'
import { utf8Length } from '../../core/utf8.ts'
import { openCookieBins } from '../cookies/cookie-bins.ts'
import { binTooLarge, headSent, notOpened, onDevice, outdated } from '../errors.ts'
import { openJar } from '../http/cookie-jar.ts'
import type { RequestHead } from '../http/request-head.ts'
import { type AnyResponse, isSent, toMutable } from '../http/response-headers.ts'
import { consentOf } from '../owner/consent.ts'
import type { ServerParts } from '../parts.ts'
import { openDisclosure } from './cache-policy.ts'
import { checkLink, formatLink } from './link-url.ts'
import { openRecordBins, type RecordBins } from './record-bins.ts'
import { keepUp } from './renew-on-read.ts'
import type { ServerBins, Visitor } from './server-bins.ts'

/** {@link ServerBins} as the rest of the server sees them. */
export interface OpenRequest extends ServerBins {
  /** Erases the visitor, and the cookies that scripts do not see: a page deletes its own before it asks for this. */
  clearHidden(): Promise<void>
  /** Loads what these bins need, unless it is there. Default: all bins, the others too. */
  load(names?: readonly string[]): Promise<void> | undefined
  /** Whether `save` has to ask the store. */
  needsStore(): boolean
  /** Names of the bins with unsaved edits. */
  unsaved(): string[]
  /** Writes cookies and cache headers. */
  discloseIn(response: AnyResponse): void
  /** Gives up all edits that are not saved. */
  discard(): void
}

/** Circumstances of {@link openRequest}. */
export interface OpenRequestOptions {
  /** The response head to come, where somebody waits for the edits and writes their cookies into it. */
  readonly head?: { readonly isSent: boolean } | undefined
}

/** Opens the bins of a request. */
export function openRequest(
  parts: ServerParts,
  head: RequestHead,
  { head: awaited }: OpenRequestOptions = {},
): OpenRequest {
  const { definitions, all, cookieValues, readings, clock, onEvent } = parts
  const jar = openJar(head, definitions.cookie)
  const cookies = openCookieBins(jar, cookieValues, { clock, tagOf, onEvent })
  const disclosure = openDisclosure(definitions, jar, head)
  const consent = consentOf(parts, head)
  /** Nobody is there to take a cookie while edits are saved without a response. */
  let isDetached = false
  const canSetCookie = () => (awaited ? !awaited.isSent : !isDetached)
  const reader = openReader(definitions, find, { read: readings.read, onEvent })
  const opened = new Set<string>()
  let isAllOpen = false
  let openedRecords: RecordBins | undefined

  /** Opened with the first server bin: most requests come for cookies only. */
  function records(): RecordBins {
    openedRecords ??= openRecordBins(parts, jar, {
      canSetCookie,
      head,
    })
    return openedRecords
  }

  function find(definition: Definition): KeptText | undefined {
    if (definition.storage === 'device') return undefined
    if (!consent.allows(definition)) return held(definition)
    return definition.storage === 'cookie' ? cookies.find(definition) : records().find(definition)
  }

  function readable(name: string): void {
    const definition = definitions.find(name)
    checkOpened(definition)
    disclosure.readBin(definition)
  }

  /** What this request alone holds of a bin. */
  function held({ name }: Definition): KeptText | undefined {
    const text = consent.held.get(name)
    return text && { ...text, trusted: true }
  }

  /** Whom the cookies of a bin belong to in this request. */
  function tagOf({ bind }: Definition): string | undefined {
    return bind === 'none' ? '' : records().tagOf(bind)
  }

  function isOpen(definition: Definition): boolean {
    return !needsOwner(definition) || isAllOpen || opened.has(definition.name)
  }

  function isLoaded(definition: Definition): boolean {
    if (definition.storage === 'device') return false
    return isOpen(definition) && !(definition.storage === 'server' && openedRecords?.isDown())
  }

  function checkOpened(definition: Definition): void {
    if (!isOpen(definition)) throw notOpened(definition.name)
  }

  function writable(name: string): Definition {
    const definition = definitions.find(name)
    if (definition.storage === 'device') throw onDevice(name)
    checkOpened(definition)
    if (reader.isOutdated(definition)) throw outdated(name)
    return definition
  }

  /** Text for the bin, if it is within the limit; a cookie's is checked with all that goes into it. */
  function toKeptText(definition: Definition, data: unknown): string {
    const own = toOwn(definition, data)
    const { text } = own
    const bytes = definition.storage === 'server' ? utf8Length(text) : 0
    if (bytes > MAX_BIN_BYTES) throw binTooLarge(definition.name, bytes)
    readings.expect(definition, own)
    return text
  }

  function put(definition: Definition, text: string | null): void {
    if (text !== null && !consent.allows(definition)) {
      consent.held.set(definition.name, { text, version: definition.version })
      reader.changed(definition.name)
      return
    }
    consent.held.delete(definition.name)
    if (definition.storage === 'cookie') {
      if (!canSetCookie()) throw headSent()
      cookies.set(definition, text)
    } else {
      records().set(definition, text)
      // What the edit does depends on whose it is.
      disclosure.readBin(definition)
    }
    reader.changed(definition.name)
  }

  async function save(response?: AnyResponse): Promise<AnyResponse | undefined> {
    if (response !== undefined && Object(response) !== response) {
      throw new TypeError('save: pass the response, its headers, or nothing.')
    }
    const takesCookies = response ? !isSent(response) : awaited !== undefined && !awaited.isSent
    if (!takesCookies && (disclosure.isDue() || openedRecords?.needsCookie())) {
      if (response || awaited) throw headSent()
      throw new TypeError('These edits need a cookie: pass the response to save(response).')
    }
    isDetached = !takesCookies
    try {
      await openedRecords?.save()
    } finally {
      isDetached = false
    }
    cookies.keep()
    if (!response || !takesCookies) return response
    // It may have gone out meanwhile.
    if (isSent(response)) {
      if (disclosure.isDue()) throw headSent()
      return response
    }
    const target = response instanceof Response && disclosure.isNeeded() ? toMutable(response) : response
    disclosure.writeTo(target)
    return target
  }

  function cookieBins(): Definition[] {
    const names = new Set([...definitions.names, ...jar.bins().filter(definitions.knows)])
    return [...names].map(definitions.find).filter(({ storage }) => storage === 'cookie')
  }

  /** Names of all bins that may hold data, others than the defined ones included. */
  function knownNames(): string[] {
    const cookieNames = cookieBins().map(({ name }) => name)
    const recordNames = openedRecords?.names() ?? []
    const names = new Set([
      ...definitions.names,
      ...cookieNames,
      ...opened,
      ...recordNames,
      ...consent.held.keys(),
    ])
    return [...names].filter(definitions.knows)
  }

  async function clear(cookies: readonly Definition[]): Promise<void> {
    if (!canSetCookie()) throw headSent()
    await records().clear()
    consent.held.clear()
    for (const definition of cookies) put(definition, null)
    reader.changed()
  }

  /** Opening a bin is reading it. */
  function loaded(names: readonly string[] | undefined): Promise<void> | undefined {
    if (!parts.needsUpkeep || !canSetCookie()) return undefined
    const remove = (definition: Definition) => put(definition, null)
    return keepUp(parts, names ?? knownNames(), { head, jar, consent, cookies, records, remove })
  }

  async function loadRecords(inRecords: readonly Definition[], names: readonly string[] | undefined) {
    await records().load(inRecords)
    for (const { name } of inRecords) opened.add(name)
    isAllOpen ||= names === undefined
  }

  const bins: Omit<OpenRequest & typeof withVisitor, 'visitor'> = {
    get(name: string) {
      readable(name)
      // The reader's data went through the bin's schema.
      return reader.get(name) as never
    },
    set(name: string, data: unknown) {
      const definition = writable(name)
      put(definition, data === null ? null : toKeptText(definition, data))
    },
    has(name: string) {
      readable(name)
      return reader.has(name)
    },
    loaded: (name: string) => isLoaded(definitions.find(name)),
    async update(name: string, change: (data: never) => unknown) {
      const definition = writable(name)
      const compute = (kept: KeptText | undefined) => {
        // The reader's data went through the bin's schema.
        const data = change(reader.read(definition, kept) as never)
        return data === null ? null : toKeptText(definition, data)
      }
      if (!consent.allows(definition)) put(definition, compute(held(definition)))
      else if (definition.storage === 'cookie') put(definition, compute(cookies.find(definition)))
      else await records().update(definition, compute)
      reader.changed(name)
      readable(name)
      return reader.get(name) as never
    },
    subscribe(name: string, listener: (data: never) => void) {
      readable(name)
      return reader.subscribe(name, (data) => listener(data as never))
    },
    // Which of the overloads was called decides what comes back.
    save: save as ServerBins['save'],
    rotate() {
      disclosure.readOwner()
      return records().rotate()
    },
    async link(url, options) {
      const maxAge = checkLink(head, url, options)
      disclosure.tellSecret()
      return formatLink(url, await records().link(maxAge), definitions.cookie)
    },
    clear: () => clear(cookieBins()),
    clearHidden: () => clear(cookieBins().filter(({ browser }) => browser === 'none')),
    names() {
      return knownNames().filter((name) => {
        if (!isOpen(definitions.find(name))) return false
        readable(name)
        return reader.has(name)
      })
    },
    snapshot() {
      disclosure.readOwner()
      const json = JSON.stringify({ v: PROTOCOL, parts: openedRecords?.snapshot() ?? [] })
      return json.replaceAll('<', '\\u003c')
    },
    findVisitor() {
      const visitor = openedRecords?.visitor()
      if (visitor) disclosure.readOwner()
      return visitor
    },
    load(names) {
      const wanted = names ? names.map(definitions.find) : all
      const owned = wanted.filter(needsOwner)
      if (owned.length > 0) return loadRecords(owned, names).then(() => loaded(names))
      return loaded(names)
    },
    needsStore: () => openedRecords !== undefined && openedRecords.unsaved().length > 0,
    unsaved: () => [...cookies.unsaved(), ...(openedRecords?.unsaved() ?? [])],
    discloseIn(response) {
      cookies.keep()
      disclosure.writeTo(response)
    },
    discard() {
      cookies.discard()
      openedRecords?.discard()
    },
  }
  // In V8, this is faster than to copy them into an object that has the prototype.
  return Object.setPrototypeOf(bins, withVisitor)
}

/** Whether what is in a bin depends on whose it is, which takes a look into the store. */
function needsOwner({ storage, bind }: Definition): boolean {
  return storage === 'server' || bind !== 'none'
}

/**
 * What the bins of all requests inherit. V8 takes longer to define a getter in a new object than to make it with all its
 * methods (Node 24: 0.6 µs).
 */
const withVisitor = {
  findVisitor(): Visitor | undefined {
    return undefined
  },
  get visitor(): Visitor | undefined {
    return this.findVisitor()
  },
}
