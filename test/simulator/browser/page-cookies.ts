import type { PageCookies } from '../../../src/client/page/cookies.ts'
import { parseTags, type Tags } from '../../../src/core/cookie/tags.ts'
import type { CookieJar } from './jar.ts'

/** Whom the cookies of a browser speak of, if of anybody. */
export function tagsIn(jar: CookieJar): Tags | undefined {
  const companion = jar.get('bb.o')
  return companion === undefined ? undefined : parseTags(companion)
}

/** The cookies of a page in a browser, without any that hold bins. */
export function openPageCookies(jar: CookieJar): PageCookies {
  return {
    find: () => undefined,
    set() {},
    renew() {},
    unkept: [],
    names: () => [],
    visitorTag: () => tagsIn(jar)?.visitor || null,
    userTag: () => tagsIn(jar)?.user ?? null,
    session: () => jar.get('bb.s'),
    startSession: () => jar.get('bb.s') ?? 'session',
  }
}
