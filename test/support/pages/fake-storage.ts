/** A localStorage of its own. Its keys are properties, as browsers have it. */
export function fakeStorage(initial: Record<string, string> = {}, { maxBytes = Infinity } = {}): Storage {
  const methods: Omit<Storage, number> = {
    get length() {
      return Object.keys(storage).length
    },
    key: (index: number) => Object.keys(storage)[index] ?? null,
    getItem: (key: string) => storage[key] ?? null,
    setItem(key: string, text: string) {
      if (key.length + text.length > maxBytes) throw new Error('full')
      storage[key] = text
    },
    removeItem(key: string) {
      delete storage[key]
    },
    clear() {
      for (const key of Object.keys(storage)) delete storage[key]
    },
  }
  // The methods are inherited, and so no keys.
  const storage: Record<string, string> & Storage = Object.assign(Object.create(methods), initial)
  return storage
}
