/** Numbers that follow from a seed and a name alone: the same, whatever else is drawn. */
export interface Dice {
  /** A number from 0 to 1, 1 excluded. */
  fraction(): number
  /** A whole number from 0 to `count`, `count` excluded. */
  below(count: number): number
  /** A number between two others. */
  between(low: number, high: number): number
  /** One of a list that is not empty. */
  pick<Item>(list: readonly Item[]): Item
  /** One of a list, each as often as its weight says. */
  pickWeighted<Item extends { readonly weight: number }>(list: readonly Item[]): Item
  /** Bytes. */
  bytes(count: number): Buffer
}

/** Opens the dice of a name. */
export function openDice(seed: number, name: string): Dice {
  let state = hash(seed, name)

  /** Mulberry32 (Tommy Ettinger). */
  function next(): number {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  const fraction = () => next() / 2 ** 32
  const below = (count: number) => Math.floor(fraction() * count)

  return {
    fraction,
    below,
    between: (low, high) => low + fraction() * (high - low),
    // The list is not empty.
    pick: <Item>(list: readonly Item[]) => list[below(list.length)] as Item,
    pickWeighted<Item extends { readonly weight: number }>(list: readonly Item[]) {
      let rest = fraction() * list.reduce((sum, { weight }) => sum + weight, 0)
      for (const item of list) {
        rest -= item.weight
        if (rest < 0) return item
      }
      // The list is not empty.
      return list.at(-1) as Item
    },
    bytes: (count) => Buffer.from(Uint8Array.from({ length: count }, () => next() & 255)),
  }
}

/** FNV-1a over the name, and the end of MurmurHash3. */
function hash(seed: number, name: string): number {
  let mixed = Math.imul(seed ^ 0x811c9dc5, 0x9e3779b1)
  for (let index = 0; index < name.length; index += 1) {
    mixed = Math.imul(mixed ^ name.charCodeAt(index), 0x01000193)
  }
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
