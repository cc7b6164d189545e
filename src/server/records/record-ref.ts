/**
 * Where bins live: the name of a store stands for the visitor's record in it, with `user/` before it for that of the user
 * who is logged in. No name of a store has a slash.
 */
const USER = 'user/'

/** The place of a user's bins in a store. */
export function userPlace(store: string): string {
  return USER + store
}

/** Whether it is a user's. */
export function isUserPlace(place: string): boolean {
  return place.startsWith(USER)
}

/** The store in which a place is. */
export function storeOf(place: string): string {
  return isUserPlace(place) ? place.slice(USER.length) : place
}
