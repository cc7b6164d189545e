import { defineBins } from 'breadbin'
import * as v from 'valibot'

export const breads = ['sourdough', 'rye', 'baguette', 'pretzel']

const Cart = v.record(v.picklist(breads), v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(99)))

export const bins = defineBins({
  // The visitor's as long as nobody is logged in; then the user's, on all devices. The login merges the two.
  cart: { schema: Cart, default: {}, scope: 'user', browser: 'write', merge: mergeCarts },

  // Stays with this browser, whoever is logged in.
  views: { schema: v.number(), default: 0 },
})

/** Two carts that were filled without knowing of each other: what `mine` changed since `base` is done to `theirs`. */
function mergeCarts(base = {}, mine = {}, theirs = {}) {
  return breads.reduce(
    (cart, bread) => withMore(cart, bread, (mine[bread] ?? 0) - (base[bread] ?? 0)),
    theirs,
  )
}

/** A cart with some more, or fewer, pieces of a bread. */
export function withMore(cart, bread, pieces) {
  const { [bread]: present = 0, ...others } = cart
  const wanted = Math.min(present + pieces, 99)
  return wanted > 0 ? { ...others, [bread]: wanted } : others
}
