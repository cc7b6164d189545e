import type { Rows } from './rows.ts'

/** Where rows are kept at present. */
export interface RowsPlace {
  /** What browsers call it; `memory`: as long as the page lives. */
  readonly kind: 'indexeddb' | 'localstorage' | 'memory'
  /** The rows there. */
  readonly rows: Rows
}

/** Rows that are kept elsewhere while their place does not work. */
export interface FallbackRows extends Rows {
  /** Where they are kept, and why not in the first place. */
  readonly place: { readonly kind: RowsPlace['kind']; readonly cause?: unknown }
  /**
   * Goes back to the first place, if it works again.
   *
   * @param bringBack Moves the rows there; what was there when it failed comes along.
   */
  recover(
    bringBack: (
      first: Rows,
      kept: Map<string, unknown>,
      before: ReadonlyMap<string, unknown>,
    ) => Promise<void>,
  ): Promise<void>
}

/**
 * Keeps rows in the first of several places for as long as it works, and in the next one from a failure on: nothing that
 * was read or written before is lost to the page. The last one must not fail.
 *
 * @param copy Makes of the rows of the first place those that go along to the next one.
 * @param onChange Told of each change of place, with the failure.
 */
export function withFallback(
  places: readonly [RowsPlace, ...RowsPlace[]],
  {
    copy,
    onChange,
  }: {
    copy: (all: ReadonlyMap<string, unknown>) => Map<string, unknown>
    onChange: (cause?: unknown) => void
  },
): FallbackRows {
  let seen = new Map<string, unknown>()
  let before = new Map<string, unknown>()
  let index = 0
  let failure: unknown
  let moving = Promise.resolve()
  let recovering = Promise.resolve()
  const running = new Set<Promise<unknown>>()
  /** What the present place is doing. */
  const doing = new Set<Promise<unknown>>()
  const present = () => places[index] ?? places[0]

  function note(prefix: string, rows: Map<string, unknown>): Map<string, unknown> {
    for (const key of seen.keys()) if (key.startsWith(prefix) && !rows.has(key)) seen.delete(key)
    for (const [key, value] of rows) seen.set(key, value)
    return rows
  }

  async function attempt(
    prefix: string,
    work: (rows: Rows) => Promise<Map<string, unknown>>,
  ): Promise<Map<string, unknown>> {
    await moving
    const place = present()
    const done = work(place.rows)
    doing.add(done)
    try {
      return note(prefix, await done)
    } catch (cause) {
      // Of several calls at a time, the first that fails goes on to the next place.
      if (place === present()) {
        if (index === places.length - 1) throw cause
        moving = moveOn(cause)
      }
      return attempt(prefix, work)
    } finally {
      doing.delete(done)
    }
  }

  /** Nothing is read or written while the rows go back. */
  async function call(...what: Parameters<typeof attempt>): Promise<Map<string, unknown>> {
    await recovering
    const answer = attempt(...what)
    running.add(answer)
    try {
      return await answer
    } finally {
      running.delete(answer)
    }
  }

  async function moveOn(cause: unknown): Promise<void> {
    const former = present()
    const isFirst = index === 0
    index += 1
    failure = cause
    // What was asked for before may still be stored there.
    await Promise.allSettled(doing)
    former.rows.close()
    if (isFirst) seen = copy(seen)
    const carried = new Map(seen)
    if (isFirst) before = carried
    try {
      await present().rows.change('', () => carried)
      onChange(cause)
    } catch (next) {
      if (index < places.length - 1) await moveOn(next)
    }
  }

  async function moveBack(bringBack: Parameters<FallbackRows['recover']>[0]): Promise<void> {
    if (index === 0) return
    const { rows } = present()
    await bringBack(places[0].rows, await rows.load(''), before)
    await rows.change('', (all) => new Map([...all.keys()].map((key) => [key, undefined])))
    index = 0
    failure = undefined
    seen = new Map()
    onChange()
  }

  return {
    get place() {
      return { kind: present().kind, ...(index > 0 ? { cause: failure } : {}) }
    },
    load: (prefix) => call(prefix, (rows) => rows.load(prefix)),
    change: (prefix, step) => call(prefix, (rows) => rows.change(prefix, step)),
    async recover(bringBack) {
      recovering = recovering
        .then(() => Promise.allSettled(running))
        .then(() => moveBack(bringBack))
        .catch(() => {})
      await recovering
    },
    close: () => present().rows.close(),
  }
}
