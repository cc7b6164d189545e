import { hash } from 'node:crypto'
import type { AnyRequest } from '../http/request-head.ts'

/**
 * Says who is logged in: the application's own id of the user, which must never become anybody else's; `null` for nobody;
 * `undefined` where that is not known, such as in requests that come without the application's cookie. Asked once for
 * each request that uses a server bin. A throw fails the request's `open`, and is no logout.
 */
export type UserResolver = (
  request: AnyRequest,
) => string | null | undefined | Promise<string | null | undefined>

/** How the application says who is logged in. */
export interface UserOptions {
  /** Says who is logged in. Without it, nobody is. */
  readonly user?: UserResolver | undefined
  /** Names a visitor in the list of a user's visitors, such as `'Firefox on Linux'`. Asked at the login. Default: none. */
  readonly label?: ((request: AnyRequest) => string | undefined) | undefined
}

/** Who is logged in, as far as a request tells. */
export interface RequestUser {
  /**
   * Asks the application. Asks once.
   *
   * @throws what the application throws; TypeError for what is no id.
   */
  load(): Promise<void>
  /** Key of the user's records; `null` = nobody is logged in; `undefined` = not known here, or not asked yet. */
  readonly key: string | null | undefined
  /** What the application calls this visitor. */
  label(): string | undefined
}

/** Longest id of a user, in UTF-16 units. */
const MAX_ID_LENGTH = 256

const NOTHING_TO_ASK = Promise.resolve()

/** Prepares to find out who is logged in. */
export function openUser({ user: resolve, label }: UserOptions, request: AnyRequest): RequestUser {
  let loading: Promise<void> | undefined

  async function load(): Promise<void> {
    const id = await resolve?.(request)
    user.key = id === null || id === undefined ? id : userKey(id)
  }

  const user: RequestUser & { key: string | null | undefined } = {
    key: resolve ? undefined : null,
    label: () => label?.(request),
    load() {
      if (resolve) loading ??= load()
      return loading ?? NOTHING_TO_ASK
    },
  }
  return user
}

/**
 * Key of a user's records. It does not tell the id.
 *
 * @throws TypeError for what is no id.
 */
export function userKey(id: string): string {
  if (typeof id !== 'string' || id === '' || id.length > MAX_ID_LENGTH || !id.isWellFormed()) {
    throw new TypeError(
      `A user's id is a string of 1 to ${MAX_ID_LENGTH} characters; for nobody, user() returns null.`,
    )
  }
  return `u:${hash('sha256', `breadbin/user/1\0${id}`, 'base64url')}`
}

/** The user's name in public: opaque, and without any authority. No visitor's has a dot. */
export function userTag(key: string): string {
  return `u.${hash('sha256', `breadbin/tag/1\0${key}`, 'base64url').slice(0, 16)}`
}
