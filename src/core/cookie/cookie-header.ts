/**
 * How a browser brings what it keeps of a visitor: in its cookies, or in a header of ours where it keeps none, such as in
 * apps and in frames of other sites.
 */
export type Transport = 'cookie' | 'header'

/** Header of a request that stands for its cookies: `name=value`, separated by semicolons; `-` where there are none. */
export const COOKIE_HEADER = 'breadbin-cookie'

/**
 * Header of the answer to such a request that stands for `Set-Cookie`: `name=value` or `name=value; Max-Age=seconds`,
 * separated by commas, which neither our names nor our values have in them.
 */
export const SET_COOKIE_HEADER = 'breadbin-set-cookie'

/** What {@link SET_COOKIE_HEADER} says of a cookie: seconds until it expires, or that it does when the browser closes. */
export type CarriedCookie = readonly [name: string, value: string, maxAge: number | undefined]

/** Formats {@link COOKIE_HEADER}. */
export function formatCookies(cookies: ReadonlyArray<readonly [name: string, value: string]>): string {
  // An empty header may get lost on its way.
  return cookies.map((pair) => pair.join('=')).join('; ') || '-'
}

/** Parses {@link SET_COOKIE_HEADER}. What is not of this form is left out. */
export function parseCarried(header: string): CarriedCookie[] {
  return Array.from(
    header.matchAll(/([\w.-]+)=([^;,]*)(?:; Max-Age=(-?\d+))?[^,]*/g),
    ([, name = '', value = '', maxAge]) => [name, value, maxAge ? +maxAge : undefined],
  )
}
