/**
 * Whether data have the same text as data that `encodeCopy` or `decode` has made. Takes less than half as long as to encode
 * them. Of data that are frozen, or come from another realm, it may say that they have not. What no text holds does not
 * count, such as a property whose key is a symbol.
 */
export function isSame(data: unknown, own: unknown): boolean {
  if (Object.is(data, own)) return true
  if (typeof data !== 'object' || typeof own !== 'object' || data === null || own === null) return false
  // An instance of a class cannot be encoded, whatever is in it.
  if (Object.getPrototypeOf(data) !== Object.getPrototypeOf(own)) return false
  const [parts, others] = [partsOf(data), partsOf(own)]
  return parts.length === others.length && parts.every((part, index) => isSame(part, others[index]))
}

/** What of an object is in its text, in its order. */
function partsOf(value: object): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (value instanceof Date) return [value.getTime()]
  if (value instanceof URL) return [value.href]
  if (value instanceof Map || value instanceof Set) return [...value]
  return [Object.keys(value), Object.values(value)]
}
