import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BinName, Definitions } from '../../core/definition/definition.ts'
import { report } from '../../core/event.ts'
import { holdHead } from '../http/held-response.ts'
import type { AnyRequest, RequestHead } from '../http/request-head.ts'
import type { ServerParts } from '../parts.ts'
import { type OpenRequest, openRequest } from '../request/request.ts'
import type { ServerBins } from '../request/server-bins.ts'

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
export type BinsMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** Options of {@link BinsServer.middleware}. */
export interface MiddlewareOptions {
  /**
   * Answers a request whose edits could not be saved, by `response.end()`, before it returns. The headers are empty and
   * the status is 503. Default: a line of text.
   */
  onSaveError?: (error: unknown, response: ServerResponse) => void
}

/** Opens the bins of a request so that they are saved when the head of its response goes out. */
type Opener = (parts: ServerParts, head: RequestHead) => OpenRequest

/** Where {@link hold} leaves what {@link openHeld} needs, on the request. */
const HELD = Symbol('breadbin.held')

/** Makes the middleware of a server. A request that asks for no bins costs one assignment. */
export function createMiddleware(
  open: (request: AnyRequest, names?: readonly string[]) => Promise<OpenRequest>,
  { onSaveError = answerUnavailable }: MiddlewareOptions = {},
): BinsMiddleware {
  return (request, response, next) => {
    Object.assign(request, { bins: (names?: readonly string[]) => open(request, names) })
    hold(request, (parts, head) => openUntilHead(parts, head, { response, onSaveError }))
    next()
  }
}

/** Leaves on a request how its bins are to be opened. */
export function hold(request: AnyRequest, open: Opener): void {
  Object.assign(request, { [HELD]: open })
}

/**
 * Opens the bins of a request so that they are saved when the head of its response goes out; `undefined` for one that
 * did not go through the middleware.
 */
export function openHeld(
  parts: ServerParts,
  request: AnyRequest,
  head: RequestHead,
): OpenRequest | undefined {
  // Nobody else knows the symbol.
  const open = Reflect.get(request, HELD) as Opener | undefined
  return open?.(parts, head)
}

function openUntilHead(
  parts: ServerParts,
  requestHead: RequestHead,
  { response, onSaveError }: Required<MiddlewareOptions> & { readonly response: ServerResponse },
): OpenRequest {
  let saving: Promise<void> | undefined
  const head = holdHead(response, {
    startWork() {
      if (response.statusCode >= 500) state.discard()
      saving = state.needsStore() ? state.save() : undefined
      return saving
    },
    beforeHead: () => state.discloseIn(response),
    onFailure(error) {
      state.discard()
      onSaveError(error, response)
    },
  })
  const state = openRequest(parts, requestHead, { head })

  async function reportUnsaved(): Promise<void> {
    // The client may go away while its edits are being saved.
    await saving?.catch(() => {})
    const bins = state.unsaved()
    if (bins.length > 0) report(parts.onEvent, { type: 'unsaved', bins })
  }

  response.once('close', () => void reportUnsaved())
  return state
}

function answerUnavailable(_error: unknown, response: ServerResponse): void {
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.setHeader('retry-after', '5')
  response.end('Service unavailable: what this page changed could not be saved. Please try again.\n')
}
