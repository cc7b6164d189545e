import { BinsError } from '../../core/error.ts'
import { type OnEvent, report } from '../../core/event.ts'
import { SESSION_IDLE } from '../../core/limits.ts'
import type { CarriedCookie } from '../../core/transport.ts'
import type { CookiePlace } from './cookie.ts'
import { memoryRows } from './memory.ts'
import type { Rows } from './rows.ts'

/** Cookies that the pages of an origin keep by themselves for a server, where the browser keeps none. */
export interface CarriedCookies extends CookiePlace {
  /** Takes in what an answer of the server says. Resolves when it is stored, or cannot be. */
  take(cookies: readonly CarriedCookie[]): Promise<void>
  /** Stores what is not stored yet, and reads what other pages have stored. Never fails. */
  update(): Promise<void>
  /** Whether all that is here is stored. */
  readonly isKept: boolean
  /**
   * Resolves when all that is here is stored.
   *
   * @throws {@link BinsError} `NOT_KEPT`.
   */
  flush(): Promise<void>
}

/** Circumstances of {@link openCarried}. */
export interface CarriedOptions {
  /** Where they are stored, all under one prefix. */
  readonly rows: Rows
  /** Origin of the server that they are for. */
  readonly origin: string
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** Told after each change of what is here. */
  readonly onChange: () => void
  /** Told after each change of what is stored. */
  readonly onStored: () => void
  /** Receives what an owner may want to log. */
  readonly onEvent: OnEvent | undefined
}

/** A cookie as it is stored. */
interface CookieRow {
  readonly v: 1
  readonly value: string
  /** In ms since the Unix epoch. */
  readonly expires: number
  /** Whether it is to end with the browser. Nobody tells when that is: it lives as long as pages are open, and a day. */
  readonly isOfSession: boolean
}

/** Changes of cookies by name; `null` deletes. */
type Changes = ReadonlyMap<string, CookieRow | null>

/** How long a cookie of the browser's session lives without any page, in ms. */
const SESSION_MS = SESSION_IDLE * 1_000

/**
 * Opens the cookies that are kept for a server. What cannot be stored is here as long as the page lives, and is stored as
 * soon as that works; unless it could not be read: then nothing is, since that could overwrite what is there.
 */
export async function openCarried(options: CarriedOptions): Promise<CarriedCookies> {
  const { origin, clock, onChange, onStored, onEvent } = options
  const prefix = `${origin}/`
  let { rows } = options
  let isReadable = true
  let hasFailed = false
  let stored = new Map<string, CookieRow>()
  let waiting: Changes = new Map()
  let shown = stored
  let updating = Promise.resolve()
  try {
    stored = parse(await rows.load(prefix))
    shown = stored
  } catch (cause) {
    isReadable = false
    rows = memoryRows()
    fail(cause)
  }
  await update()

  function fail(cause: unknown): void {
    if (!hasFailed) report(onEvent, { type: 'not-kept', bin: '', cause })
    hasFailed = true
  }

  function parse(all: ReadonlyMap<string, unknown>): Map<string, CookieRow> {
    return new Map(
      [...all].flatMap(([key, row]) => (isCookieRow(row) ? [[key.slice(prefix.length), row] as const] : [])),
    )
  }

  /** Shows what is stored with what is not stored yet. Tells whether that is anything new. */
  function show(): boolean {
    const before = shown
    shown = new Map(stored)
    for (const [name, row] of waiting) {
      if (row) shown.set(name, row)
      else shown.delete(name)
    }
    const isKnown = ([name, { value }]: [string, CookieRow]) => before.get(name)?.value === value
    return before.size !== shown.size || ![...shown].every(isKnown)
  }

  function isLive({ expires }: CookieRow): boolean {
    return expires > clock()
  }

  function put(name: string, value: string, expires: number | undefined): void {
    const isOfSession = expires === undefined
    const until = isOfSession ? clock() + SESSION_MS : expires
    const row: CookieRow = { v: 1, value, expires: until, isOfSession }
    waiting = new Map(waiting).set(name, isLive(row) ? row : null)
  }

  /** The session goes on as long as there are pages. */
  function renewSession(): void {
    for (const [name, row] of shown) {
      const isDue = row.isOfSession && row.expires - clock() < SESSION_MS / 2
      if (isDue && isLive(row)) put(name, row.value, undefined)
    }
  }

  async function storeAndRead(): Promise<void> {
    renewSession()
    const batch = waiting
    const changes = new Map([...batch].map(([name, row]) => [prefix + name, row ?? undefined]))
    try {
      stored = parse(await (batch.size > 0 ? rows.change(prefix, () => changes) : rows.load(prefix)))
      waiting = new Map([...waiting].filter(([name, row]) => batch.get(name) !== row))
      hasFailed = !isReadable
      if (batch.size > 0) onStored()
    } catch (cause) {
      fail(cause)
    }
    if (show()) onChange()
  }

  function update(): Promise<void> {
    updating = updating.then(storeAndRead)
    return updating
  }

  return {
    all: () =>
      Object.fromEntries([...shown].flatMap(([name, row]) => (isLive(row) ? [[name, row.value]] : []))),
    write(name, value, expires) {
      put(name, value, expires === undefined ? undefined : expires * 1_000)
      show()
      void update()
    },
    async take(cookies) {
      const now = clock()
      for (const { name, value, maxAge } of cookies) {
        put(name, value, maxAge === undefined ? undefined : now + maxAge * 1_000)
      }
      if (show()) onChange()
      await update()
    },
    update,
    get isKept() {
      return !hasFailed || shown.size === 0
    },
    async flush() {
      await update()
      if (!hasFailed || shown.size === 0) return
      throw new BinsError('NOT_KEPT', 'The browser does not keep who its visitor is, nor cookies of bins.')
    },
  }
}

/** Rows of another version belong to another version of the code, in another tab, and are left alone. */
function isCookieRow(row: unknown): row is CookieRow {
  return (
    typeof row === 'object' &&
    row !== null &&
    'v' in row &&
    row.v === 1 &&
    'value' in row &&
    typeof row.value === 'string' &&
    'expires' in row &&
    typeof row.expires === 'number'
  )
}
