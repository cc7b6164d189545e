import { PROTOCOL } from '../../core/sync/wire.ts'
import type { ClientBins, SyncProblem } from '../client-bins.ts'
import type { Page } from '../page/page.ts'

/** The server cannot be reached, or does not want us. */
export class Refusal extends Error {
  /** What is wrong. */
  readonly problem: SyncProblem
  /** How long the server wants to be left alone, in ms. */
  readonly retryMs: number | undefined

  constructor(problem: SyncProblem, options: { cause?: unknown; retryMs?: number | undefined } = {}) {
    super(problem, { cause: options.cause })
    this.problem = problem
    this.retryMs = options.retryMs
  }
}

/** How long an answer may take, in ms. */
const ANSWER_MS = 30_000

/** The longest that a server can have itself left alone, in ms: timers cannot count more than 24.8 days. */
const LONGEST_RETRY_MS = 86_400_000

/** What the server has answered. */
export interface Reply {
  /** HTTP status. */
  readonly status: number
  /** `Retry-After`, in ms. */
  readonly retryMs: number | undefined
  /** The body, if it is JSON. */
  readonly body: unknown
}

/** The sync endpoint of the server. */
export interface Endpoint {
  /**
   * Sends a request, and waits for all of the answer.
   *
   * @throws Refusal if there is no answer.
   */
  send(action: 'sync' | 'clear' | 'link', body: object): Promise<Reply>
  /** Sends a request that outlives the page, and waits for nothing. */
  leave(action: 'sync', body: object): void
}

/** Opens the sync endpoint. Sends nothing by itself. */
export function openEndpoint(
  { fetch, timer }: Pick<ClientBins, 'fetch'> & Pick<Page, 'timer'>,
  path: string,
): Endpoint {
  function post(action: string, body: object, options: RequestInit): Promise<Response> {
    return fetch(`${path}/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      credentials: 'same-origin',
      redirect: 'error',
      ...options,
    })
  }

  return {
    async send(action, body) {
      const abort = new AbortController()
      const stop = timer(() => abort.abort(), ANSWER_MS)
      try {
        const response = await post(action, body, { signal: abort.signal })
        const { status, headers } = response
        return { status, retryMs: retryAfter(headers.get('retry-after')), body: parse(await response.text()) }
      } catch (cause) {
        throw new Refusal('offline', { cause })
      } finally {
        stop()
      }
    },
    leave(action, body) {
      // Whatever becomes of it: what was not answered for is sent again.
      post(action, body, { keepalive: true }).catch(() => {})
    },
  }
}

/**
 * Takes a reply for an answer of our server.
 *
 * @throws Refusal that says what is wrong with any other.
 */
export function accept({ status, retryMs, body }: Reply): Record<string, unknown> {
  if (status === 401 || status === 403) throw new Refusal('auth')
  if (status === 400 || status === 404 || status === 426) throw new Refusal('outdated')
  // A captive portal answers 200 with a page of its own; only our server speaks this.
  if (status === 200 && isRecord(body) && body.v === PROTOCOL) return body
  throw new Refusal('unavailable', { retryMs })
}

/** Whether a value can be asked for properties. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `Retry-After` in seconds, as ms (RFC 9110 §10.2.3); the form with a date is not used by our server. */
function retryAfter(value: string | null): number | undefined {
  const seconds = value === null || value === '' ? Number.NaN : Number(value)
  return seconds >= 0 ? Math.min(seconds * 1_000, LONGEST_RETRY_MS) : undefined
}
