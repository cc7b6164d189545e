import { COOKIE_HEADER, SET_COOKIE_HEADER } from '../../core/cookie/cookie-header.ts'
import { isListed, type RequestHead } from './request-head.ts'

/** Answers what a browser asks before it sends another origin's request (Fetch standard, "CORS-preflight fetch"). */
export function answerPreflight(method: string): Response {
  return new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-methods': method,
      'access-control-allow-headers': `content-type, ${COOKIE_HEADER}`,
      // 2 h, the most that Chromium remembers.
      'access-control-max-age': '7200',
      'cache-control': 'private, no-store',
    },
  })
}

/** Lets pages of a listed origin read an answer, and send cookies; and tells caches that it is not for all origins. */
export function allowOrigin({ headers }: Response, head: RequestHead): void {
  headers.append('vary', 'Origin')
  const origin = head.header('origin')
  if (origin === undefined || !isListed(head)) return
  headers.set('access-control-allow-origin', origin)
  headers.set('access-control-allow-credentials', 'true')
  headers.set('access-control-expose-headers', `retry-after, ${SET_COOKIE_HEADER}`)
}
