import { decodedJson } from '../../support/wire.ts'
import type { CookieJar } from '../browser/jar.ts'
import type { Life } from '../world/life.ts'
import type { World } from '../world/world.ts'
import { ORIGIN } from './site.ts'

/** What answers requests at the far end. */
export type Answerer = (request: Request) => Promise<Response>

/** How a browser reaches the site. */
export interface Connection {
  /** Whether it can reach anybody. */
  isOnline: boolean
  /** Whether a captive portal answers. */
  isCaptive: boolean
  /** Whether the site wants its user to log in first. */
  isLoggedOut: boolean
  /** Sends a request. */
  send(sending: Sending): Promise<Response>
}

/** One request to be sent. */
export interface Sending {
  /** The tab that sends it. */
  readonly tab: string
  /** Its life. */
  readonly life: Life
  /** Path and query. */
  readonly path: string
  /** The rest, as `fetch` takes it. */
  readonly init: RequestInit
  /** What answers it. */
  readonly answer: Answerer
  /** Told what the tab hears. */
  readonly onAnswer?: (text: string) => void
}

/** An answer that has come all the way. */
interface Arrived {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Opens the connection of a browser. */
export function openConnection(world: World, jar: CookieJar, onCookies: (tab: string) => void): Connection {
  const { timeline, fate, trace } = world
  let count = 0

  function send(this: Connection, { tab, life, path, init, answer, onAnswer }: Sending): Promise<Response> {
    const connection = this
    count += 1
    const what = `${tab}, request ${count}`
    const dice = fate.dice(what)
    const [, action = ''] = /^\/bins\/(\w+)/.exec(path) ?? ['', path]
    const cookie = jar.header()
    const owner = cookie.includes('__Host-bb=') ? jar.get('bb.o') : undefined
    /** How long a message is on its way, in ms. */
    const trip = (late: 'late request' | 'late answer', whom = what) =>
      fate.befalls(late, whom) ? dice.between(1_000, 45_000) : dice.between(1, 60)
    trace.say(tab, () => `sends ${action} ${typeof init.body === 'string' ? opsIn(init.body) : ''}`.trim())

    return new Promise((resolve, reject) => {
      const onAbort = () => reject(new DOMException('Aborted', 'AbortError'))
      const finish = (ms: number, how: () => void) =>
        life.after(ms, () => {
          init.signal?.removeEventListener('abort', onAbort)
          how()
        })
      const fail = (ms: number) => finish(ms, () => reject(new TypeError('Failed to fetch')))
      init.signal?.addEventListener('abort', onAbort)
      if (!connection.isOnline) return void fail(dice.between(1, 20))
      if (connection.isCaptive || fate.befalls('captive portal', what)) {
        return void finish(dice.between(5, 100), () => resolve(portal()))
      }
      if (fate.befalls('lost request', what)) return void fail(dice.between(100, 3_000))
      timeline.after(trip('late request'), () => void arrive(true))
      if (fate.befalls('repeated request', what)) {
        timeline.after(trip('late request', `${what}, once more`) * 2, () => void arrive(false))
      }

      async function arrive(isAwaited: boolean): Promise<void> {
        // A browser gives up the requests of a page that is gone.
        if (life.isOver && !init.keepalive && dice.fraction() < 0.5) return
        try {
          const arrived = await read(await respond(connection, what))
          if (!cookie.includes('__Host-bb=') && arrived.text.includes('"state":"ok"')) {
            world.violate(
              'edits wait for a visitor whose cookie came back',
              `a request without one was applied`,
            )
          }
          if (isAwaited) timeline.after(trip('late answer'), () => receive(arrived))
        } catch {
          if (isAwaited) fail(trip('late answer'))
        }
      }

      function receive(arrived: Arrived): void {
        if (fate.befalls('lost answer', what)) return void fail(dice.between(0, 2_000))
        if (fate.befalls('no answer', what)) return
        const isCut = fate.befalls('cut answer', what)
        if (init.signal?.aborted) return
        if (!life.isOver || init.keepalive) {
          if (jar.take(arrived.headers.getSetCookie())) onCookies(tab)
        }
        if (action === 'clear' && arrived.status === 200 && owner !== undefined)
          world.cleared.set(owner, timeline.now)
        trace.say(tab, () => `hears ${arrived.status} ${action} ${resultsIn(arrived.text)}`.trim())
        const text = isCut ? arrived.text.slice(0, arrived.text.length / 2) : arrived.text
        const { status, headers } = arrived
        onAnswer?.(text)
        const hasBody = status !== 204
        finish(0, () => resolve(new Response(hasBody ? text : null, { status, headers })))
      }
    })

    function respond({ isLoggedOut }: Connection, whom: string): Promise<Response> | Response {
      if (isLoggedOut) return new Response('{"error":"login"}', { status: 401 })
      if (fate.befalls('busy server', whom)) {
        const after = String(dice.below(20))
        return new Response('{"error":"busy"}', { status: 503, headers: { 'retry-after': after } })
      }
      const { method = 'GET', body = null } = init
      const headers = new Headers(init.headers)
      headers.set('sec-fetch-site', 'same-origin')
      headers.set('cookie', cookie)
      return answer(new Request(ORIGIN + path, { method, body, headers }))
    }
  }

  return { isOnline: true, isCaptive: false, isLoggedOut: false, send }
}

async function read(response: Response): Promise<Arrived> {
  return { status: response.status, headers: response.headers, text: await response.text() }
}

function portal(): Response {
  return new Response('<p>Log in to the Wi-Fi</p>', { headers: { 'content-type': 'text/html' } })
}

function opsIn(body: string): string {
  const { parts = [] } = JSON.parse(body) as { parts?: Array<{ tag: string | null; ops: OpText[] }> }
  return parts
    .map(({ tag, ops }) => `as ${tag?.slice(0, 4) ?? 'nobody'}: ${ops.map(formatOp).join('; ') || 'no ops'}`)
    .join(', ')
}

interface OpText {
  n: number
  bin: string
  base: number | null
  text?: string
}

function formatOp({ n, bin, base, text }: OpText): string {
  return `#${n % 1e9} ${bin} on ${base === null ? 'nothing known' : base % 1e9} = ${JSON.stringify(decodedJson(text) ?? null)}`
}

function resultsIn(text: string): string {
  try {
    const { parts = [], minted } = JSON.parse(text) as {
      minted?: true
      parts?: Array<{ results: ResultText[]; changes: ResultText[]; reset?: true; erased?: number }>
    }
    const said = parts.map(({ results, changes, reset, erased }) =>
      [
        ...results.map((result) => `#${result.n % 1e9} ${result.bin} ${result.state}`),
        ...changes.map(({ bin, text }) => `${bin} is ${JSON.stringify(decodedJson(text) ?? null)}`),
        ...(reset ? ['reset'] : []),
        ...(erased === undefined ? [] : ['erased']),
      ].join('; '),
    )
    return minted ? 'minted' : said.join(', ')
  } catch {
    return ''
  }
}

interface ResultText {
  n: number
  bin: string
  state: string
  text?: string
}
