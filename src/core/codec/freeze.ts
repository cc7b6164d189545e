/** The objects, besides plain ones and arrays, that data may hold. */
export type BuiltIn = Date | Map<unknown, unknown> | Set<unknown> | URL

/**
 * Methods that change a Date, Map, Set or URLSearchParams, those newer than our type library included: each works on
 * the object's inner state, which `Object.freeze` does not reach.
 */
const CHANGES = /^(?:set|add|append|delete|clear|sort|getOrInsert)/

const frozenDate = guard(Date.prototype)
const frozenMap = guard(Map.prototype)
const frozenSet = guard(Set.prototype)
const frozenURL = guard(URL.prototype)
const frozenSearch = guard(URLSearchParams.prototype)

const PROTOTYPES: ReadonlySet<unknown> = new Set([
  Date.prototype,
  Map.prototype,
  Set.prototype,
  URL.prototype,
  frozenDate,
  frozenMap,
  frozenSet,
  frozenURL,
])

/**
 * Freezes decoded data in place, with all it holds. Changing a Date, Map, Set or URL in it throws a `TypeError`; they
 * stay instances of their kind, and `structuredClone` gives a copy that can be changed where it knows the kind.
 *
 * It guards against mistakes, not malice: `Map.prototype.set.call(map, …)` gets through.
 *
 * @param data What `decode` answered: a tree without cycles.
 * @returns The same data.
 */
export function freeze<T>(data: T): T {
  if (typeof data !== 'object' || data === null) return data
  if (data instanceof Date) Object.setPrototypeOf(data, frozenDate)
  else if (data instanceof Map) freezeMap(data)
  else if (data instanceof Set) freezeSet(data)
  else if (data instanceof URL) freezeURL(data)
  else for (const child of Object.values(data)) freeze(child)
  return Object.freeze(data)
}

/** Whether a value is exactly a Date, Map, Set or URL, frozen by {@link freeze} or not; an instance of a subclass is not. */
export function isBuiltIn(value: object): value is BuiltIn {
  return PROTOTYPES.has(Object.getPrototypeOf(value))
}

function freezeMap(map: Map<unknown, unknown>): void {
  for (const [key, value] of map) {
    freeze(key)
    freeze(value)
  }
  Object.setPrototypeOf(map, frozenMap)
}

function freezeSet(set: Set<unknown>): void {
  for (const element of set) freeze(element)
  Object.setPrototypeOf(set, frozenSet)
}

function freezeURL(url: URL): void {
  Object.freeze(Object.setPrototypeOf(url.searchParams, frozenSearch))
  Object.setPrototypeOf(url, frozenURL)
}

/** Derives a prototype on which setters, and methods that change, throw; `constructor` and all else are inherited. */
function guard(prototype: object): object {
  const guarded: object = Object.create(prototype)
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (!property.set && !CHANGES.test(name)) continue
    const refuse = () => {
      throw new TypeError(`${name}: data from get() is frozen; pass a changed copy to set()`)
    }
    Object.defineProperty(guarded, name, { ...property, [property.set ? 'set' : 'value']: refuse })
  }
  return Object.freeze(guarded)
}
