/** Languages and currencies of the shop. */
export const regions = {
  'en-US': { label: 'English', greeting: 'Welcome to the Breadbin', currency: 'USD', rate: 1 },
  'de-DE': { label: 'Deutsch', greeting: 'Willkommen im Brotkasten', currency: 'EUR', rate: 0.9 },
  'fr-FR': { label: 'Français', greeting: 'Bienvenue dans la boîte à pain', currency: 'EUR', rate: 0.9 },
  'pl-PL': { label: 'Polski', greeting: 'Witamy w chlebaku', currency: 'PLN', rate: 4 },
}

/** What there is to buy, and its price in US dollars. */
export const breads = {
  sourdough: { label: 'Sourdough', price: 8 },
  rye: { label: 'Rye loaf', price: 6.5 },
  baguette: { label: 'Baguette', price: 3.2 },
  pretzel: { label: 'Pretzel', price: 2.4 },
}

/** Most pieces of one bread in a cart. */
export const MAX_PIECES = 99

/** Formats an amount of US dollars for a region. */
export function formatPrice(region, dollars) {
  const { currency, rate } = regions[region]
  return new Intl.NumberFormat(region, { style: 'currency', currency }).format(dollars * rate)
}

/** What a cart costs, in US dollars. */
export function totalOf(cart) {
  return Object.entries(cart).reduce((sum, [bread, pieces]) => sum + breads[bread].price * pieces, 0)
}

/** A cart with some more (or, below 0, fewer) pieces of a bread. */
export function withMore(cart, bread, pieces) {
  const { [bread]: _, ...others } = cart
  const present = Object.hasOwn(cart, bread) ? cart[bread] : 0
  const wanted = Math.min(present + pieces, MAX_PIECES)
  return wanted > 0 ? { ...others, [bread]: wanted } : others
}

/** Two carts that were filled without knowing of each other: what `mine` changed since `base` is done to `theirs`. */
export function mergeCarts(base = {}, mine = {}, theirs = {}) {
  return Object.keys(breads).reduce(
    (cart, bread) => withMore(cart, bread, (mine[bread] ?? 0) - (base[bread] ?? 0)),
    theirs,
  )
}
