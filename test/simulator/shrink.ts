/**
 * Finds a small part of a list with which something still happens, by delta debugging (Zeller and Hildebrandt 2002).
 *
 * @param happens Whether it happens with a part of the list.
 * @param most How often to try, at most.
 */
export async function shrink<Item>(
  all: readonly Item[],
  happens: (part: readonly Item[]) => Promise<boolean>,
  most: number,
): Promise<readonly Item[]> {
  let kept = all
  let size = Math.ceil(all.length / 2)
  for (let tries = 0; kept.length > 0; ) {
    let isSmaller = false
    for (let from = 0; from < kept.length && tries < most; ) {
      const part = [...kept.slice(0, from), ...kept.slice(from + size)]
      tries += 1
      if (await happens(part)) {
        kept = part
        isSmaller = true
      } else {
        from += size
      }
    }
    if (tries >= most || (size === 1 && !isSmaller)) break
    if (size > 1) size = Math.ceil(size / 2)
  }
  return kept
}
