import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { userKey, userTag } from '../../../src/server/identity/user.ts'
import { isTexts, schemaOf } from '../world/bins.ts'

/** Everybody's edits are ids, and nobody takes one away: whatever is missing is lost. */
export const PEOPLE_BINS = defineBins({
  cart: {
    schema: schemaOf<string[]>(isTexts),
    default: [],
    browser: 'write',
    scope: 'user',
    merge: (_, mine = [], theirs = []) => [...new Set([...theirs, ...mine])],
  },
})

/** Who can log in. */
export const USERS = ['ann', 'bob'] as const

/** Somebody who can log in. */
export type User = (typeof USERS)[number]

/** The cookie by which the application knows who is logged in. */
const APPLICATION_COOKIE = 'sid'

/** The line by which the application logs somebody in, or out. */
export function loginLine(user: User | null): string {
  return user === null ? `${APPLICATION_COOKIE}=; Max-Age=0` : `${APPLICATION_COOKIE}=${user}`
}

/** Who is logged in, as the application sees it. */
export function userIn(headers: Headers): string | null {
  const pairs = headers.get('cookie')?.split('; ') ?? []
  const pair = pairs.find((one) => one.startsWith(`${APPLICATION_COOKIE}=`))
  return pair?.slice(APPLICATION_COOKIE.length + 1) ?? null
}

/** The user with a tag. */
export function userWith(tag: string | null): User | null {
  return USERS.find((user) => userTag(userKey(user)) === tag) ?? null
}
