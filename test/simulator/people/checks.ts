import type { BinsRecord } from '../../../src/core/sync/record.ts'
import { userKey } from '../../../src/server/identity/user.ts'
import type { World } from '../world/world.ts'
import { USERS, type User } from './bins.ts'
import type { Device } from './device.ts'

/** An edit of a cart: it puts its id in. */
export interface CartEdit {
  /** Its id. */
  readonly id: string
  /** Where it was made. */
  readonly device: Device
  /** Who was logged in, as far as whoever made it knew; `null` = nobody. */
  readonly user: User | null
  /** How often that had changed before. */
  readonly switches: number
  /** How often edits had been given up before, with an event. */
  readonly drops: number
  /** Whether pages and application agreed on it. */
  readonly isTold: boolean
  /** Whether its maker was told that it is kept. */
  isStored: boolean
}

/** Checks whose carts the edits have come to, once all is at rest. */
export function checkCarts(
  { violate }: World,
  {
    edits,
    devices,
    records,
    hasLinks,
  }: {
    edits: readonly CartEdit[]
    devices: readonly Device[]
    records: ReadonlyMap<string, BinsRecord>
    /** Whether devices were linked: then they were one visitor, at least for a while. */
    hasLinks: boolean
  },
): void {
  const carts = new Map(USERS.map((user) => [user, cartIn(records.get(userKey(user)))]))
  const ofVisitors = [...records]
    .filter(([key]) => key.startsWith('v:'))
    .flatMap(([, record]) => cartIn(record))

  for (const [user, cart] of carts) {
    if (new Set(cart).size < cart.length)
      violate('no edit twice', `the cart of ${user} holds ${cart.join(', ')}`)
  }
  for (const { id, device, user, isStored, isTold, switches, drops } of edits) {
    const holders = USERS.filter((holder) => carts.get(holder)?.includes(id))
    for (const holder of holders) {
      // What nobody in particular has edited is for whoever logs in there.
      const places = hasLinks ? devices : [device]
      const isTheirs = user === null ? places.some(({ logins }) => logins.has(holder)) : holder === user
      if (!isTheirs)
        violate('edits stay with their user', `${id} of ${user} on ${device.name} came to ${holder}`)
    }
    if (user === null) continue
    if (ofVisitors.includes(id))
      violate('edits stay with their user', `${id} of ${user} is kept for a visitor`)
    const isExcused = !isStored || !isTold || device.switches > switches || device.drops > drops
    if (!isExcused && !holders.includes(user)) violate('no edit is lost silently', `${id} of ${user}`)
  }
  for (const { name, pages, login } of devices) {
    for (const { bins } of pages) {
      const shown = bins?.get('cart') ?? []
      const expected = login === null ? shown : (carts.get(login) ?? [])
      if (String(shown) !== String(expected)) {
        violate(
          'all pages and the server come to hold the same',
          `${name} shows ${shown} instead of ${expected}`,
        )
      }
      const foreign = edits.find(({ id, user }) => user !== null && user !== login && shown.includes(id))
      if (foreign)
        violate('nobody sees what is of another', `${name} shows ${login} ${foreign.id} of ${foreign.user}`)
    }
  }
}

function cartIn(record: BinsRecord | undefined): readonly string[] {
  const text = record?.bins.get('cart')?.text
  return text === undefined ? [] : JSON.parse(text).json
}
