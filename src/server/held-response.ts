import type { ServerResponse } from 'node:http'

/** What is to happen before the head of a response goes out. */
export interface HeadHooks {
  /** Whether {@link HeadHooks.wait} has to finish first. Asked once, when the head is about to go. */
  isWaitNeeded(): boolean
  /** The work to wait for. */
  wait(): Promise<void>
  /** Adds the last headers; the head goes out right after. */
  beforeHead(): void
  /** The work failed: answers instead of what was written so far. The headers are empty, the status is 503. */
  onFailure(error: unknown): void
}

/** The head of a response that waits for us. */
export interface HeldHead {
  /** Whether it has gone out. */
  readonly isSent: boolean
}

type Write = ServerResponse['write']
type End = ServerResponse['end']

/** The methods and properties that stand in for the response's own while it waits. */
const HELD = ['headersSent', 'writableEnded', 'finished', 'setHeader', 'appendHeader', 'setHeaders', 'removeHeader']

/**
 * Lets asynchronous work come between the handler and the head of its response. Node writes the head at the first of
 * `writeHead`, `write`, `end` and `flushHeaders`, synchronously. If there is something to wait for, the response counts
 * as sent from then on, as the handler expects, and what is written waits in a queue.
 */
export function holdHead(response: ServerResponse, hooks: HeadHooks): HeldHead {
  const own = {
    writeHead: response.writeHead,
    write: response.write,
    end: response.end,
    flushHeaders: response.flushHeaders,
  }
  const queue: Array<() => void> = []
  let phase: 'open' | 'waiting' | 'sent' = 'open'
  let releaseSocket = () => {}

  /** Whether what is being written has to wait. Starts the wait at the first call. */
  function isHeld(): boolean {
    if (phase === 'open' && hooks.isWaitNeeded()) startWaiting()
    return phase === 'waiting'
  }

  function startWaiting(): void {
    phase = 'waiting'
    pretendSent(response, () => queue.some((step) => step === endMark))
    releaseSocket = postponeDestroy(response)
    hooks.wait().then(release, fail)
  }

  const endMark = () => {}

  function release(): void {
    for (const name of HELD) Reflect.deleteProperty(response, name)
    phase = 'open'
    if (!response.destroyed) {
      settle()
      for (const step of queue.splice(0)) step()
      if (!response.writableEnded && !response.writableNeedDrain) response.emit('drain')
    }
    releaseSocket()
  }

  function fail(error: unknown): void {
    for (const name of HELD) Reflect.deleteProperty(response, name)
    queue.length = 0
    phase = 'open'
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    response.statusCode = 503
    response.statusMessage = ''
    if (!response.destroyed) hooks.onFailure(error)
    settle()
    releaseSocket()
  }

  /** From here on the response is its own again. */
  function settle(): void {
    if (phase === 'sent') return
    phase = 'sent'
    Object.assign(response, own)
    hooks.beforeHead()
  }

  response.writeHead = ((...args: [number, ...unknown[]]) => {
    if (phase === 'waiting') throw headersSent('write')
    // Headers passed to writeHead would replace those set before, ours included; set, they take part.
    takeHeaders(response, args)
    if (isHeld()) {
      queue.push(() => own.writeHead.call(response, response.statusCode))
      return response
    }
    settle()
    return own.writeHead.call(response, response.statusCode)
  }) as ServerResponse['writeHead']

  response.write = ((...args: Parameters<Write>) => {
    if (!isHeld()) return own.write.apply(response, args)
    queue.push(() => own.write.apply(response, args))
    return false
  }) as Write

  response.end = ((...args: Parameters<End>) => {
    if (!isHeld()) return own.end.apply(response, args)
    queue.push(() => own.end.apply(response, args), endMark)
    return response
  }) as End

  response.flushHeaders = () => {
    if (!isHeld()) own.flushHeaders.call(response)
    else queue.push(() => own.flushHeaders.call(response))
  }

  return {
    get isSent() {
      return phase === 'sent' && response.headersSent
    },
  }
}

/** Makes a response answer as one whose head is out. */
function pretendSent(response: ServerResponse, isEnded: () => boolean): void {
  const refuse = () => {
    throw headersSent('set')
  }
  const facts: Record<string, () => unknown> = {
    headersSent: () => true,
    writableEnded: isEnded,
    finished: isEnded,
  }
  for (const name of HELD) {
    Object.defineProperty(response, name, { configurable: true, get: facts[name] ?? (() => refuse) })
  }
}

/**
 * Whoever destroys the connection because the response is out already, as Express does after an error, must not cut off
 * what is still waiting here.
 */
function postponeDestroy(response: ServerResponse): () => void {
  const { socket } = response
  if (!socket) return () => {}
  let postponed: (() => void) | undefined
  socket.destroy = (error?: Error) => {
    postponed ??= () => socket.destroy(error)
    return socket
  }
  return () => {
    Reflect.deleteProperty(socket, 'destroy')
    postponed?.()
  }
}

/** Applies the arguments of `writeHead(status, message?, headers?)` to the response itself. */
function takeHeaders(response: ServerResponse, [status, ...rest]: [number, ...unknown[]]): void {
  response.statusCode = status
  const [first] = rest
  if (typeof first === 'string') response.statusMessage = first
  const headers = typeof first === 'string' ? rest[1] : first
  if (Array.isArray(headers)) takeRawHeaders(response, headers)
  else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
  }
}

/** Node takes them as a flat list, or as a list of pairs; a name may come more than once. */
function takeRawHeaders(response: ServerResponse, headers: readonly unknown[]): void {
  const flat = headers.flatMap((item) => (Array.isArray(item) && headers.length > 0 ? item : [item]))
  const seen = new Set<string>()
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const name = String(flat[index])
    const value = flat[index + 1]
    const values = Array.isArray(value) ? value.map(String) : String(value)
    if (seen.has(name.toLowerCase())) response.appendHeader(name, values)
    else response.setHeader(name, values)
    seen.add(name.toLowerCase())
  }
}

function headersSent(action: string): Error {
  return Object.assign(new Error(`Cannot ${action} headers after they are sent to the client`), {
    code: 'ERR_HTTP_HEADERS_SENT',
  })
}
