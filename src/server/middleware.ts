import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BinName, Definitions } from '../core/definition.ts'
import { report } from '../core/event.ts'
import { type AnyRequest, readHead } from './head.ts'
import { holdHead } from './held-response.ts'
import { type OpenRequest, openRequest, type ServerBins } from './request.ts'
import type { ServerParts } from './server.ts'

/** A request that went through the middleware. */
export interface BinsRequest<D extends Definitions = Definitions> extends IncomingMessage {
  /**
   * Opens the bins of this request; the same ones however often. Edits are saved when the response's head goes out.
   *
   * @param names Bins that will be used. Default: all.
   */
  bins(names?: ReadonlyArray<BinName<D>>): Promise<ServerBins<D>>
}

/** Middleware for node:http, connect and express. */
export type BinsMiddleware<_D extends Definitions = Definitions> = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** Options of {@link BinsServer.middleware}. */
export interface MiddlewareOptions {
  /**
   * Answers a request whose edits could not be saved, by `response.end()`. The headers are empty and the status is 503.
   * Default: a line of text.
   */
  onSaveError?: (error: unknown, response: ServerResponse) => void
}

/** Makes the middleware of a server. A request that asks for no bins costs one assignment. */
export function createMiddleware<D extends Definitions>(
  parts: ServerParts,
  open: WeakMap<AnyRequest, OpenRequest>,
  { onSaveError = answerUnavailable }: MiddlewareOptions = {},
): BinsMiddleware<D> {
  function start(request: IncomingMessage, response: ServerResponse): OpenRequest {
    const head = holdHead(response, {
      isWaitNeeded() {
        if (response.statusCode >= 500) state.discard()
        return state.needsStore
      },
      wait: () => state.save(),
      beforeHead: () => state.discloseIn(response),
      onFailure(error) {
        state.discard()
        onSaveError(error, response)
      },
    })
    const state = openRequest(parts, readHead(request, parts.origin), { head })
    response.once('close', () => {
      if (state.unsaved.length > 0) report(parts.onEvent, { type: 'unsaved', bins: state.unsaved })
    })
    return state
  }

  return (request, response, next) => {
    const bins = async (names: readonly string[] = parts.definitions.names) => {
      const state = open.get(request) ?? start(request, response)
      open.set(request, state)
      await state.load(names)
      return state
    }
    Object.assign(request, { bins })
    next()
  }
}

function answerUnavailable(_error: unknown, response: ServerResponse): void {
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.setHeader('retry-after', '5')
  response.end('Service unavailable: what this page changed could not be saved. Please try again.\n')
}
