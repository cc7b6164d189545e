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

/** What {@link SET_COOKIE_HEADER} says of a cookie. */
export interface CarriedCookie {
  /** Its full name. */
  readonly name: string
  /** Its value. */
  readonly value: string
  /** Seconds until it expires; `undefined`: until the browser closes. */
  readonly maxAge: number | undefined
}

/** Formats {@link COOKIE_HEADER}. */
export function formatCookies(cookies: Readonly<Record<string, string>>): string {
  return (
    Object.entries(cookies)
      .map(([name, value]) => `${name}=${value}`)
      // An empty header may get lost on its way.
      .join('; ') || '-'
  )
}

/** Parses {@link SET_COOKIE_HEADER}. What is not of this form is left out. */
export function parseCarried(header: string): CarriedCookie[] {
  return header.split(/, */).flatMap((line) => {
    const [, name, value, maxAge] = /^([\w.-]+)=([!-~]*?)(?:; Max-Age=(-?\d+))?$/.exec(line) ?? []
    if (name === undefined || value === undefined || value.includes(';')) return []
    return [{ name, value, maxAge: maxAge === undefined ? undefined : Number(maxAge) }]
  })
}
