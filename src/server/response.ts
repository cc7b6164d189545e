import type { ServerResponse } from 'node:http'

/** What edits and reads can be answered with. */
export type AnyResponse = Response | Headers | ServerResponse

/** What a response tells about its visitor. */
export interface Disclosure {
  /** `Set-Cookie` lines by cookie name. */
  readonly lines: ReadonlyMap<string, string>
  /** Whether each of them is a plain cookie of a bin, which holds nothing secret. */
  readonly plainOnly: boolean
  /** Whether the answer depends on cookies. */
  readonly readCookies: boolean
  /** Whether the answer depends on who asks: on a signed or sealed cookie, or a record. */
  readonly readOwner: boolean
}

/** The headers of a response, whatever their class. */
interface HeaderFields {
  get(name: string): string | undefined
  set(name: string, value: string): void
  delete(name: string): void
  cookies(): string[]
  setCookies(lines: readonly string[]): void
}

/** Headers by which caches would keep an answer for everybody. */
const SHARED_CACHE_HEADERS = ['cdn-cache-control', 'surrogate-control']

/**
 * Writes cookies, `Vary` and `Cache-Control` as RFC 9111 caches, and those that do not follow it, need them. A response
 * that has nothing to do with a visitor stays as it is.
 */
export function disclose(response: AnyResponse, disclosure: Disclosure): void {
  const fields = fieldsOf(response)
  const { lines, plainOnly, readCookies, readOwner } = disclosure
  if (readCookies || readOwner) vary(fields)
  if (readOwner) {
    fields.set('cache-control', toPrivate(fields.get('cache-control')))
    for (const name of SHARED_CACHE_HEADERS) fields.delete(name)
  }
  if (lines.size === 0) return
  // `no-store` can cost the page its place in the back/forward cache.
  fields.set('cache-control', plainOnly ? 'private, no-cache' : 'private, no-store')
  for (const name of SHARED_CACHE_HEADERS) fields.delete(name)
  const foreign = fields.cookies().filter((line) => !lines.has(line.slice(0, line.indexOf('='))))
  fields.setCookies([...foreign, ...lines.values()])
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

function vary(fields: HeaderFields): void {
  const present = fields.get('vary')
  if (present === undefined) return fields.set('vary', 'Cookie')
  const names = present.split(',').map((name) => name.trim().toLowerCase())
  if (!names.includes('cookie') && !names.includes('*')) fields.set('vary', `${present}, Cookie`)
}

function toPrivate(present: string | undefined): string {
  const kept = (present ?? '')
    .split(',')
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '' && !/^(public|private|s-maxage)\b/i.test(directive))
  return ['private', ...kept].join(', ')
}

function fieldsOf(response: AnyResponse): HeaderFields {
  if ('setHeader' in response) {
    return {
      get: (name) => listOf(response.getHeader(name)).join(', ') || undefined,
      set: (name, value) => response.setHeader(name, value),
      delete: (name) => response.removeHeader(name),
      cookies: () => listOf(response.getHeader('set-cookie')),
      setCookies: (lines) => response.setHeader('set-cookie', lines),
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
