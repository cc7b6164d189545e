import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { type OnEvent, report } from '../../core/event.ts'
import { toNodeHandler } from '../http/node-handler.ts'
import type { ResponseHead } from '../http/response-headers.ts'
import { type OpenRequest, openRequest } from '../request/request.ts'
import { hold } from './middleware.ts'

/** A plugin for fastify 5: `await app.register(server.fastify())`. */
export type FastifyPlugin = (app: object, options: object, done: () => void) => void

/** What of a fastify app the plugin calls. */
interface App {
  addHook(name: 'onRequest', hook: (request: Request, reply: Reply, done: Done) => void): void
  addHook(
    name: 'onSend',
    hook: (request: Request, reply: Reply, payload: unknown, done: Done<unknown>) => void,
  ): void
  addHook(name: 'onResponse', hook: (request: Request, reply: Reply, done: Done) => void): void
}

interface Request {
  readonly raw: IncomingMessage
}

interface Reply {
  readonly raw: ServerResponse
  readonly statusCode: number
  code(status: number): void
  hijack(): void
  header(name: string, value: string | readonly string[]): void
  getHeader(name: string): number | string | string[] | undefined
  removeHeader(name: string): void
}

/** The head of a reply. */
interface ReplyHead {
  /** Whether it has its cookies. Fastify writes it later, with the first part of a stream. */
  isSaved: boolean
  /** Whether it is too late for more. */
  readonly isSent: boolean
}

/** What a request has opened. */
interface Opened {
  readonly state: OpenRequest
  readonly head: ReplyHead
}

type Done<Result = void> = (error: Error | null, result?: Result) => void

const NOT_SAVED = 'What this page changed could not be saved.'

/** Makes the plugin of a server. A request that asks for no bins costs three calls. */
export function createFastifyPlugin(
  path: string,
  fetch: (request: globalThis.Request) => Promise<Response>,
  onEvent: OnEvent | undefined,
): FastifyPlugin {
  const endpoint = toNodeHandler(fetch)
  /** Where a request keeps its bins. */
  const opened = Symbol('bins')
  const openedIn = ({ raw }: Request) => Reflect.get(raw, opened) as Opened | undefined

  const plugin: FastifyPlugin = (app, _options, done) => {
    // Only fastify calls plugins.
    const on = (app as App).addHook.bind(app) as App['addHook']

    on('onRequest', (request, reply, next) => {
      const { raw } = request
      if (raw.url?.startsWith(`${path}/`)) {
        // Before fastify reads the body.
        reply.hijack()
        endpoint(raw, reply.raw)
        return
      }
      hold(raw, (parts, head) => {
        const own = headOf(reply)
        const state = openRequest(parts, head, { head: own })
        Object.assign(raw, { [opened]: { state, head: own } })
        return state
      })
      next(null)
    })

    on('onSend', (request, reply, payload, next) => {
      const found = openedIn(request)
      if (!found) return next(null, payload)
      const { state, head } = found
      const rest = takeResponse(reply, payload)
      if (reply.statusCode >= 500) state.discard()
      state.save(toHead(reply)).then(
        () => {
          head.isSaved = true
          next(null, rest)
        },
        (cause) => {
          state.discard()
          abandon(rest)
          // For error handlers of the application, which start from the status that is there, and for fastify's own.
          reply.code(503)
          next(Object.assign(new Error(NOT_SAVED, { cause }), { statusCode: 503 }))
        },
      )
    })

    on('onResponse', (request, _reply, next) => {
      const bins = openedIn(request)?.state.unsaved() ?? []
      if (bins.length > 0) report(onEvent, { type: 'unsaved', bins })
      next(null)
    })

    done()
  }
  // What is registered once is there for the whole app (fastify's documentation, "Plugins").
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true })
}

function headOf({ raw }: Reply): ReplyHead {
  return {
    isSaved: false,
    get isSent() {
      return this.isSaved || raw.headersSent
    },
  }
}

/** Fastify writes the headers of a `Response` over those of the reply after this hook: so it gets them now. */
function takeResponse(reply: Reply, payload: unknown): unknown {
  if (!(payload instanceof Response) || payload.bodyUsed) return payload
  reply.code(payload.status)
  for (const [name, value] of payload.headers) reply.header(name, value)
  return payload.body
}

/** The head of a reply with node's names; `reply.header` adds cookies to those that are there. */
function toHead(reply: Reply): ResponseHead {
  return {
    headersSent: reply.raw.headersSent,
    getHeader: (name) => reply.getHeader(name),
    setHeader(name, value) {
      reply.removeHeader(name)
      reply.header(name, value)
    },
    removeHeader: (name) => reply.removeHeader(name),
  }
}

/** Lets go of a body that is not sent. */
function abandon(payload: unknown): void {
  if (payload instanceof Readable) payload.destroy()
  else if (payload instanceof ReadableStream) payload.cancel().catch(() => {})
}
