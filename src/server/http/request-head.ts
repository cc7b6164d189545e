import type { IncomingMessage } from 'node:http'
import { COOKIE_HEADER, type Transport } from '../../core/cookie/cookie-header.ts'
import { forwardedOrigin } from './forwarded.ts'

/** A request of the web platform, or of node:http and all frameworks on top of it. */
export type AnyRequest = Request | IncomingMessage

/** The part of a request that Breadbin looks at. */
export interface RequestHead {
  /** The request itself, for the application. */
  readonly request: AnyRequest
  /** Request method, upper case. */
  readonly method: string
  /** The `Cookie` header, or what stands for it; empty if there is none. */
  readonly cookies: string
  /** Where {@link RequestHead.cookies} come from, and those of the response go to. */
  readonly transport: Transport
  /** Whether cookies are to carry `Secure`. */
  readonly secure: boolean
  /** Reads a header by its lower-case name. */
  header(name: string): string | undefined
  /** URL that the browser sees, or its beginning; not always well-formed. */
  readonly site: string
  /** Further origins of the site. */
  readonly origins: readonly string[]
}

/**
 * How many proxies stand between browsers and this process, whose word is taken for what the browser sees; or whether a
 * request came by one. Each must set or extend `Forwarded` (RFC 7239), or `X-Forwarded-Proto` and `X-Forwarded-Host`.
 * A `Request` of the sync endpoint does not tell the address of its sender: a function goes by its headers.
 */
export type TrustProxy = number | ((request: AnyRequest) => boolean)

/** What the configuration says of where browsers find the site. */
export interface SiteOptions {
  /** Its origin. Otherwise requests say so themselves: their URL and `Host`. */
  readonly origin?: string | undefined
  /** Which proxies tell what the browser sees. */
  readonly trustProxy?: TrustProxy | undefined
  /** Further origins whose pages may use the sync endpoint. */
  readonly origins?: readonly string[] | undefined
}

/** Reads the head of a request. `Secure` is left out for localhost over http only. */
export function readHead(request: AnyRequest, options: SiteOptions): RequestHead {
  const header = isWebRequest(request)
    ? (name: string) => request.headers.get(name) ?? undefined
    : (name: string) => request.headers[name]?.toString()
  const site = options.origin ?? siteOf(request, header, options.trustProxy)
  const carried = header(COOKIE_HEADER)
  // Neither functions nor anything computed for those who may ask: this is made for each request.
  const head: RequestHead = {
    request,
    method: request.method ?? 'GET',
    cookies: carried ?? header('cookie') ?? '',
    transport: carried === undefined ? 'cookie' : 'header',
    secure: !/^http:\/\/(localhost|127\.0\.0\.1|\[::1\])([:/]|$)/i.test(site),
    header,
    site,
    origins: options.origins ?? NONE,
  }
  return carried === undefined || mayCarry(head) ? head : { ...head, cookies: '' }
}

/** Whether a page of one of the site's further origins sent a request, as the browser says. */
export function isListed({ origins, header }: RequestHead): boolean {
  return origins.length > 0 && origins.includes(header('origin') ?? '')
}

/** Whether the browser says that another site caused the request, so that a `SameSite` cookie may just be missing. */
export function isCrossSite(head: RequestHead, sameSite: 'lax' | 'strict' | 'none'): boolean {
  if (isListed(head)) return false
  if (head.transport === 'header') return !mayCarry(head)
  const site = head.header('sec-fetch-site')
  if (site !== undefined) return site === 'cross-site' && !isFollowed(head, sameSite)
  const origin = head.header('origin')
  return origin !== undefined && !isSafe(head) && origin !== originOf(head.site)
}

/** Whether the browser vouches that a page of this origin, or of a further one, sent the request. Says no when it says nothing. */
export function isOwnPage(head: RequestHead): boolean {
  if (isListed(head)) return true
  const site = head.header('sec-fetch-site')
  if (site !== undefined) return site === 'same-origin'
  return head.header('origin') === originOf(head.site)
}

/** Whether a URL, which may be relative, is one of this origin, or of a further one. */
export function isOwnUrl({ site, origins }: RequestHead, url: string): boolean {
  const own = originOf(site)
  if (!URL.canParse(url, own)) return false
  const { origin } = new URL(url, own)
  return origin === own || origins.includes(origin)
}

/**
 * Whether a request may use the sync endpoint: one of a page of ours; one of an app, which says nothing of where it comes
 * from, if it carries what no browser adds by itself; and a plain read, since older browsers say nothing of one either.
 */
export function mayAsk(head: RequestHead): boolean {
  return isOwnPage(head) || (isSilent(head) && (head.transport === 'header' || isSafe(head)))
}

/** Whether a request may carry its cookies in a header: for anybody else, nobody has sent it. */
function mayCarry(head: RequestHead): boolean {
  return isOwnPage(head) || isSilent(head)
}

/** Whether a request says nothing of where it comes from: that of an app, or of an older browser within one origin. */
function isSilent({ header }: RequestHead): boolean {
  return header('sec-fetch-site') === undefined && header('origin') === undefined
}

/**
 * Whether the response may set cookies that nobody has asked for: not that to a plain read, which caches keep and pages
 * make at any time, but that to a navigation or to a request that changes something.
 */
export function mayRenewCookies(head: RequestHead): boolean {
  return !isSafe(head) || isTopLevel(head)
}

/** Whether cookies came along although another site caused the request: a link was followed, or a frame was filled. */
function isFollowed(head: RequestHead, sameSite: 'lax' | 'strict' | 'none'): boolean {
  return (sameSite === 'lax' && isTopLevel(head)) || (sameSite === 'none' && isNavigation(head))
}

/** Whether somebody followed a link here: Lax cookies come along then (RFC 6265bis §5.6.7.1), but not on a prefetch. */
function isTopLevel(head: RequestHead): boolean {
  return isNavigation(head) && head.header('sec-fetch-dest') === 'document'
}

function isNavigation(head: RequestHead): boolean {
  return (
    isSafe(head) && head.header('sec-fetch-mode') === 'navigate' && head.header('sec-purpose') === undefined
  )
}

function isSafe({ method }: RequestHead): boolean {
  return method === 'GET' || method === 'HEAD'
}

function isWebRequest(request: AnyRequest): request is Request {
  return typeof request.headers.get === 'function'
}

/** Where the browser sent a request, by its own words or those of the proxies that it came by. */
function siteOf(request: AnyRequest, header: RequestHead['header'], trust: TrustProxy | undefined): string {
  const own = isWebRequest(request) ? request.url : nodeOrigin(request)
  if (trust === undefined) return own
  const hops = hopsOf(trust, request)
  return hops > 0 && URL.canParse(own) ? forwardedOrigin(header, hops, new URL(own)) : own
}

function nodeOrigin({ headers, socket }: IncomingMessage): string {
  const scheme = 'encrypted' in socket && socket.encrypted ? 'https' : 'http'
  return `${scheme}://${headers.host ?? UNKNOWN_HOST}`
}

/** The origin of a URL; one that nobody has if a client made up its `Host`. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : `https://${UNKNOWN_HOST}`
}

const NONE: readonly string[] = []

/** A name that is nobody's (RFC 2606). */
const UNKNOWN_HOST = 'unknown.invalid'

/** Number of proxies to trust for a request. */
function hopsOf(trust: TrustProxy, request: AnyRequest): number {
  if (typeof trust === 'function') return trust(request) ? 1 : 0
  return trust
}
