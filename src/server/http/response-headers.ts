import { COOKIE_HEADER, SET_COOKIE_HEADER, type Transport } from '../../core/cookie/cookie-header.ts'

/** What edits and reads can be answered with. */
export type AnyResponse = Response | Headers | ResponseHead

/** What of node's `ServerResponse` is needed to write cookies and cache headers. */
export interface ResponseHead {
  /** Whether it is too late to set headers. */
  readonly headersSent: boolean
  /** Returns the value of a header. */
  getHeader(name: string): number | string | string[] | undefined
  /** Sets a header in place of what it was. */
  setHeader(name: string, value: string | readonly string[]): unknown
  /** Removes a header. */
  removeHeader(name: string): unknown
}

/** What {@link disclose} writes. */
export interface DisclosureOptions {
  /** How the browser gets its cookies. */
  readonly transport: Transport
  /** Whether some requests carry their cookies in a header. */
  readonly hasCarriers: boolean
  /** `Set-Cookie` lines, or what stands for them, by cookie name; `undefined`: none of this name, and none from before. */
  readonly lines: ReadonlyMap<string, string | undefined>
  /** Whether one of them is not for everybody's eyes, or something else that the response says. */
  readonly isSecret: boolean
  /** Whether the response depends on plain cookies. */
  readonly dependsOnCookies: boolean
  /** Whether the response depends on who asks: on a signed or sealed cookie, or a record. */
  readonly dependsOnOwner: boolean
}

/** The headers of a response, whatever their class. */
interface HeaderFields {
  get(name: string): string | undefined
  set(name: string, value: string): void
  delete(name: string): void
  cookies(): string[]
  setCookies(lines: readonly string[]): void
}

/** Headers by which caches would keep an answer for everybody, whatever `Cache-Control` says (RFC 9213, Edge Architecture). */
const SHARED_CACHE_HEADERS = [
  'cdn-cache-control',
  'surrogate-control',
  'cloudflare-cdn-cache-control',
  'netlify-cdn-cache-control',
  'vercel-cdn-cache-control',
]

/**
 * Writes cookies, `Vary` and `Cache-Control` as RFC 9111 caches, and those that do not follow it, need them. A response
 * that has nothing to do with a visitor stays as it is.
 */
export function disclose(response: AnyResponse, options: DisclosureOptions): void {
  const { lines, isSecret, dependsOnCookies, dependsOnOwner, transport, hasCarriers } = options
  const fields = transport === 'header' ? carrying(fieldsOf(response)) : fieldsOf(response)
  const set = [...lines.values()].filter((line) => line !== undefined)
  if (dependsOnCookies || dependsOnOwner) {
    addTo(fields, 'vary', 'Cookie')
    if (hasCarriers) addTo(fields, 'vary', COOKIE_HEADER)
  }
  if (set.length > 0 || dependsOnOwner) {
    const present = fields.get('cache-control')
    const isUncached = isSecret || set.length > 0
    fields.set('cache-control', isUncached ? toUncached(present, isSecret) : toPrivate(present))
    for (const name of SHARED_CACHE_HEADERS) fields.delete(name)
  }
  const before = lines.size > 0 ? fields.cookies() : []
  const foreign = before.filter((line) => !lines.has(line.slice(0, line.indexOf('='))))
  if (set.length > 0 || foreign.length < before.length) fields.setCookies([...foreign, ...set])
}

/** The response itself, or a copy if its headers cannot be changed: those of redirects and fetched responses. */
export function toMutable(response: Response): Response {
  try {
    response.headers.delete('x-never-there')
    return response
  } catch {
    return new Response(response.body, response)
  }
}

/** Whether a response has no head any more that could be changed. */
export function isSent(response: AnyResponse): boolean {
  return 'headersSent' in response && response.headersSent
}

/** Adds a name to a header that lists names, unless it is there, or all are meant. */
function addTo(fields: HeaderFields, header: string, name: string): void {
  const present = fields.get(header)
  const names = (present ?? '').split(',').map((each) => each.trim().toLowerCase())
  if (names.includes(name.toLowerCase()) || names.includes('*')) return
  fields.set(header, present === undefined ? name : `${present}, ${name}`)
}

/** The headers of a response whose cookies travel in one of ours, which pages of other origins may read. */
function carrying(fields: HeaderFields): HeaderFields {
  return {
    ...fields,
    cookies: () => fields.get(SET_COOKIE_HEADER)?.split(', ') ?? [],
    setCookies(lines) {
      fields.delete(SET_COOKIE_HEADER)
      if (lines.length === 0) return
      fields.set(SET_COOKIE_HEADER, lines.join(', '))
      addTo(fields, 'access-control-expose-headers', SET_COOKIE_HEADER)
    },
  }
}

function toPrivate(present: string | undefined): string {
  const kept = directivesOf(present).filter((directive) => !/^(public|private|s-maxage)\b/i.test(directive))
  return ['private', ...kept].join(', ')
}

/** `no-store` can cost a page its place in the back/forward cache, so it is left out where nothing secret is in it. */
function toUncached(present: string | undefined, isSecret: boolean): string {
  const mustNotStore = isSecret || directivesOf(present).some((directive) => /^no-store$/i.test(directive))
  return mustNotStore ? 'private, no-store' : 'private, no-cache'
}

/** Splits `Cache-Control` at its commas, but not at those in quotes: `private="a, b"` is one directive. */
function directivesOf(present: string | undefined): string[] {
  return (present?.match(/(?:[^,"]|"[^"]*"?)+/g) ?? [])
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function fieldsOf(response: AnyResponse): HeaderFields {
  if ('setHeader' in response) {
    return {
      get: (name) => listOf(response.getHeader(name)).join(', ') || undefined,
      set: (name, value) => response.setHeader(name, value),
      delete: (name) => response.removeHeader(name),
      cookies: () => listOf(response.getHeader('set-cookie')),
      setCookies(lines) {
        if (lines.length > 0) response.setHeader('set-cookie', lines)
        else response.removeHeader('set-cookie')
      },
    }
  }
  const headers = 'headers' in response ? response.headers : response
  return {
    get: (name) => headers.get(name) ?? undefined,
    set: (name, value) => headers.set(name, value),
    delete: (name) => headers.delete(name),
    cookies: () => headers.getSetCookie(),
    setCookies(lines) {
      headers.delete('set-cookie')
      for (const line of lines) headers.append('set-cookie', line)
    },
  }
}

function listOf(value: number | string | readonly string[] | undefined): string[] {
  if (value === undefined) return []
  return Array.isArray(value) ? [...value] : [String(value)]
}
