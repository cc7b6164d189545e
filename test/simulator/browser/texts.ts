/** The small texts that a browser keeps for all of its tabs, as `localStorage` does. */
export interface Texts {
  /** What tabs see. */
  readonly storage: Storage
  /** Undoes all changes after some time. */
  rollBack(since: number): void
}

/**
 * Opens the small texts of a browser.
 *
 * @param isFull Asked with each text to be kept.
 */
export function openTexts(clock: () => number, isFull: () => boolean): Texts {
  /** Kept texts are its own properties, as in browsers. */
  const kept: Record<string, string> = {}
  let past: Array<{ readonly at: number; readonly key: string; readonly before: string | undefined }> = []

  function put(key: string, text: string | undefined): void {
    past.push({ at: clock(), key, before: kept[key] })
    restore(key, text)
  }

  function restore(key: string, text: string | undefined): void {
    if (text === undefined) delete kept[key]
    else kept[key] = text
  }

  const methods: Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'clear'> = {
    getItem: (key) => kept[key] ?? null,
    setItem(key, text) {
      if (isFull()) throw new Error('The simulated texts are full.')
      put(key, text)
    },
    removeItem: (key) => put(key, undefined),
    key: (index) => Object.keys(kept)[index] ?? null,
    clear() {
      for (const key of Object.keys(kept)) put(key, undefined)
    },
  }
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(kept, name, { value })
  Object.defineProperty(kept, 'length', { get: () => Object.keys(kept).length })

  return {
    // It has all members of a Storage by now.
    storage: kept as unknown as Storage,
    rollBack(since) {
      for (const { at, key, before } of past.toReversed()) if (at > since) restore(key, before)
      past = past.filter(({ at }) => at <= since)
    },
  }
}
