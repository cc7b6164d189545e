import { PROTOCOL, type SyncAnswer } from '../core/wire.ts'

/** What keeps a sync from succeeding. */
export type SyncProblem = 'offline' | 'unavailable' | 'auth' | 'outdated' | 'cookies-blocked'

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

/** The sync endpoint of the server. */
export interface Endpoint {
  /**
   * Sends a request.
   *
   * @throws Refusal if there is no answer.
   */
  send(action: 'sync' | 'clear', body: object): Promise<Response>
  /**
   * Reads the body of a good answer.
   *
   * @throws Refusal that says what is wrong with any other.
   */
  readBody(response: Response): Promise<unknown>
  /** Reads the answer to a sync. */
  readAnswer(response: Response): Promise<SyncAnswer>
}

/** Circumstances of {@link openEndpoint}. */
export interface EndpointOptions {
  /** Path of the sync endpoint. */
  readonly path: string
  /** Sends a request. */
  readonly fetch: typeof globalThis.fetch
  /** Calls back after some ms; what it returns takes the call back. */
  readonly timer: (run: () => void, ms: number) => () => void
}

/** Opens the sync endpoint. Sends nothing by itself. */
export function openEndpoint({ path, fetch, timer }: EndpointOptions): Endpoint {
  return {
    async send(action, body) {
      const abort = new AbortController()
      const stop = timer(() => abort.abort(), ANSWER_MS)
      try {
        return await fetch(`${path}/${action}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
          credentials: 'same-origin',
          redirect: 'error',
          signal: abort.signal,
        })
      } catch (cause) {
        throw new Refusal('offline', { cause })
      } finally {
        stop()
      }
    },
    readBody,
    async readAnswer(response) {
      const body = await readBody(response)
      // A captive portal answers 200 with a page of its own; only our server speaks this.
      if (isRecord(body) && body.v === PROTOCOL && Array.isArray(body.parts))
        return body as unknown as SyncAnswer
      throw new Refusal('unavailable')
    },
  }
}

/** Whether a value can be asked for properties. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

async function readBody(response: Response): Promise<unknown> {
  const { status, headers } = response
  if (status === 401 || status === 403) throw new Refusal('auth')
  if (status === 400 || status === 404 || status === 426) throw new Refusal('outdated')
  if (!response.ok) throw new Refusal('unavailable', { retryMs: retryAfter(headers.get('retry-after')) })
  return response.json().catch(() => undefined)
}

/** `Retry-After` in seconds, as ms (RFC 9110 §10.2.3); the form with a date is not used by our server. */
function retryAfter(value: string | null): number | undefined {
  const seconds = value === null || value === '' ? Number.NaN : Number(value)
  return seconds >= 0 ? seconds * 1_000 : undefined
}
