import { randomBytes } from 'node:crypto'
import { parseCookie } from 'cookie'

// The application's own login, of which Breadbin knows nothing. Yours keeps hashes, and sessions that end.
const passwords = { ann: 'rye', bob: 'pretzel' }
const sessions = new Map()

const COOKIE = 'Path=/; HttpOnly; SameSite=Lax'

/** Who is logged in; `null` = nobody. Takes what Breadbin passes on: a request of the web platform, or of Node. */
export function userOf({ headers }) {
  const cookies = typeof headers.get === 'function' ? headers.get('cookie') : headers.cookie
  return sessions.get(parseCookie(cookies ?? '').sid) ?? null
}

/** The `Set-Cookie` line of a login; `undefined` if the password is wrong. */
export function logIn({ user, password }) {
  if (!Object.hasOwn(passwords, user) || passwords[user] !== password) return undefined
  const id = randomBytes(16).toString('base64url')
  sessions.set(id, user)
  return `sid=${id}; ${COOKIE}`
}

/** Ends the session of a request. Returns the `Set-Cookie` line. */
export function logOut(request) {
  sessions.delete(parseCookie(request.headers.get('cookie') ?? '').sid)
  return `sid=; Max-Age=0; ${COOKIE}`
}

/** Ends all other sessions of the user of a request. */
export function logOutOthers(request) {
  const { sid } = parseCookie(request.headers.get('cookie') ?? '')
  for (const [id, user] of sessions) if (id !== sid && user === sessions.get(sid)) sessions.delete(id)
}
