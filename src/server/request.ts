import type { Bins } from '../core/bins.ts'
import { utf8Length } from '../core/cookie.ts'
import { toText } from '../core/data.ts'
import type { Definition, Definitions } from '../core/definition.ts'
import { BinsError } from '../core/error.ts'
import { MAX_BIN_BYTES } from '../core/limits.ts'
import { type KeptText, openReader } from '../core/reader.ts'
import { openCookieBins } from './cookie-bins.ts'
import { isCrossSite, type RequestHead } from './head.ts'
import { openJar } from './jar.ts'
import { type AnyResponse, disclose, toMutable } from './response.ts'
import type { ServerParts } from './server.ts'
import { headSent, openServerBins } from './server-bins.ts'

/** What is known of the visitor of a request. */
export interface Visitor {
  /** The visitor's name in public: opaque, and without any authority. */
  readonly tag: string
  /** When the visitor was first kept, in ms since the Unix epoch. */
  readonly created: number
}

/** The bins of one request's visitor. */
export interface ServerBins<D extends Definitions = Definitions> extends Omit<Bins<D>, 'save'> {
  /** The visitor, if a server bin was opened and the visitor has ever had one. */
  readonly visitor: Visitor | undefined
  /**
   * Keeps all edits: first in the store, then as cookies in the response, together with the `Vary` and
   * `Cache-Control` that the reads so far ask for.
   *
   * @param response What is to be sent. May be left out when no edit needs a cookie.
   * @returns The response to send: the same one, or a copy of a `Response` whose headers cannot be changed.
   * @throws {@link BinsError} `CONFLICT`, `GONE`, `TOO_LARGE`, `STORE_FAILED`: nothing was kept in this store.
   * `HEAD_SENT` if a cookie is needed and the head is out; `NO_VISITOR` on a cross-site request.
   */
  save(): Promise<void>
  save<R extends AnyResponse>(response: R): Promise<R>
}

/** {@link ServerBins} as the rest of the server sees them. */
export interface OpenRequest extends ServerBins {
  /** Loads what these bins need. */
  load(names: readonly string[]): Promise<void>
  /** Whether `save` has to ask the store. */
  readonly needsStore: boolean
  /** Names of the bins with unsaved edits. */
  readonly unsaved: readonly string[]
  /** Writes cookies and cache headers. */
  discloseIn(response: AnyResponse): void
  /** Gives up all edits that are not saved. */
  discard(): void
}

/** Circumstances of {@link openRequest}. */
export interface OpenRequestOptions {
  /** The response head to come, where somebody waits for the edits and writes their cookies into it. */
  readonly head?: { readonly isSent: boolean }
}

/** Opens the bins of a request. */
export function openRequest(
  parts: ServerParts,
  head: RequestHead,
  { head: expected }: OpenRequestOptions = {},
): OpenRequest {
  const { definitions, keys, clock, onEvent } = parts
  const jar = openJar(head.cookies, head.secure, definitions.cookie)
  const cookies = openCookieBins(jar, keys, { clock, onEvent })
  const isHeadSent = () => expected?.isSent ?? false
  const server = openServerBins(parts, jar, { isHeadSent, isCrossSite: () => isCrossSite(head) })
  const reader = openReader(definitions, find, onEvent)
  const allNames = () => definitions.names.filter((name) => definitions.find(name).storage !== 'device')
  /** Cookie bins whose edits nobody has asked to keep yet. */
  const edited = new Set<string>()
  let opened = new Set<string>()
  let readCookies = false
  let readOwner = false
  let secretCookies = false

  function find(definition: Definition): KeptText | undefined {
    if (definition.storage === 'device') return undefined
    return definition.storage === 'cookie' ? cookies.find(definition) : server.find(definition)
  }

  /** Notes what the response will depend on. */
  function readable(name: string): void {
    const { storage, browser } = definitions.find(name)
    if (storage === 'device') return
    if (storage === 'server') checkOpened(name)
    if (storage === 'server' || browser !== 'write') readOwner = true
    else readCookies = true
  }

  function checkOpened(name: string): void {
    if (opened.has(name)) return
    throw new TypeError(
      `Bin ${JSON.stringify(name)} was not opened in this request; name it in open(request, names).`,
    )
  }

  function writable(name: string): Definition {
    const definition = definitions.find(name)
    if (definition.storage === 'device') {
      throw new BinsError('READ_ONLY', `Bin ${JSON.stringify(name)} is kept on the device; the server never sees it.`, {
        bin: name,
      })
    }
    if (definition.storage === 'server') checkOpened(name)
    if (reader.isOutdated(name)) {
      throw new BinsError(
        'OUTDATED',
        `A newer version of this program wrote bin ${JSON.stringify(name)}; it is left as it is.`,
        { bin: name },
      )
    }
    return definition
  }

  function put(definition: Definition, text: string | null): void {
    if (definition.storage === 'cookie') {
      if (isHeadSent()) throw headSent()
      cookies.set(definition, text)
      edited.add(definition.name)
      if (definition.browser !== 'write') secretCookies = true
    } else {
      checkBinSize(definition.name, text)
      server.set(definition, text)
    }
    reader.changed(definition.name)
  }

  async function save(response?: AnyResponse): Promise<AnyResponse | undefined> {
    const isPossible = response ? !isSent(response) : expected !== undefined && !isHeadSent()
    if (!isPossible && (jar.lines.size > 0 || server.needsCookie)) {
      if (response || expected) throw headSent()
      throw new TypeError('These edits need a cookie: pass the response to save(response).')
    }
    await server.save()
    if (isPossible) edited.clear()
    if (!response || isSent(response)) return response
    const target = response instanceof Response && touched() ? toMutable(response) : response
    discloseIn(target)
    return target
  }

  function touched(): boolean {
    return readCookies || readOwner || jar.lines.size > 0
  }

  function discloseIn(response: AnyResponse): void {
    edited.clear()
    if (!touched()) return
    const plainOnly = !secretCookies && !jar.lines.has(jar.visitorName)
    disclose(response, { lines: jar.lines, plainOnly, readCookies, readOwner })
  }

  return {
    get(name: string) {
      readable(name)
      // The reader's data went through the bin's schema.
      return reader.get(name) as never
    },
    set(name: string, data: unknown) {
      const definition = writable(name)
      put(definition, data === null ? null : toText(definition, data))
    },
    has(name: string) {
      readable(name)
      return reader.has(name)
    },
    loaded(name: string) {
      return definitions.find(name).storage !== 'server' || opened.has(name)
    },
    async update(name: string, change: (data: never) => unknown) {
      const definition = writable(name)
      const compute = (kept: KeptText | undefined) => {
        // The reader's data went through the bin's schema.
        const data = change(reader.read(definition, kept) as never)
        const text = data === null ? null : toText(definition, data)
        if (definition.storage === 'server') checkBinSize(name, text)
        return text
      }
      if (definition.storage === 'cookie') put(definition, compute(cookies.find(definition)))
      else await server.update(definition, compute)
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
    async clear() {
      if (isHeadSent()) throw headSent()
      await server.clear()
      for (const name of allNames()) {
        const definition = definitions.find(name)
        if (definition.storage === 'cookie') put(definition, null)
      }
      reader.changed()
    },
    names() {
      const open = [...new Set([...allNames(), ...opened, ...server.names()])]
      return open.filter((name) => {
        if (!definitions.knows(name)) return false
        const { storage } = definitions.find(name)
        if (storage === 'server' && !opened.has(name)) return false
        readable(name)
        return reader.has(name)
      })
    },
    get visitor() {
      return server.visitor
    },
    async load(names) {
      const wanted = names.map((name) => definitions.find(name))
      await server.load(wanted.filter(({ storage }) => storage === 'server'))
      opened = new Set([...opened, ...names])
    },
    get needsStore() {
      return server.isEdited
    },
    get unsaved() {
      return [...edited, ...server.unsaved]
    },
    discloseIn,
    discard() {
      for (const name of edited) jar.forget(jar.binName(name))
      edited.clear()
      server.discard()
    },
  }
}

function checkBinSize(name: string, text: string | null): void {
  const bytes = text === null ? 0 : utf8Length(text)
  if (bytes <= MAX_BIN_BYTES) return
  throw new BinsError(
    'TOO_LARGE',
    `Bin ${JSON.stringify(name)} has ${bytes} bytes; ${MAX_BIN_BYTES} are allowed. Keep larger data in a database of its own.`,
    { bin: name },
  )
}

function isSent(response: AnyResponse): boolean {
  return 'headersSent' in response && response.headersSent
}
