import type { ServerResponse } from 'node:http'
import { takeHead, type WriteHeadArguments } from './write-head.ts'

/** What is to happen before the head of a response goes out. */
export interface HeadHooks {
  /** Starts the work that the head must wait for, if there is any. Called once, when the head is about to go. */
  startWork(): Promise<void> | undefined
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

type Callback = (error?: Error) => void

/** What the handler did while the response was held. */
interface Step {
  readonly run: () => void
  readonly callback?: Callback | undefined
}

/** Methods that throw once the head has gone out. */
const SETTERS = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'] as const

/**
 * Lets asynchronous work come between a handler and the head of its response. Node writes the head at the first of
 * `writeHead`, `write`, `end` and `flushHeaders`, synchronously. If there is something to wait for, the response counts
 * as sent from then on, as the handler expects, and what is written waits in a queue.
 *
 * The methods stay wrapped for good: whoever wraps them after us would be cut off if we put back what we found.
 */
export function holdHead(response: ServerResponse, hooks: HeadHooks): HeldHead {
  const own = {
    writeHead: response.writeHead,
    write: response.write,
    end: response.end,
    flushHeaders: response.flushHeaders,
    destroy: response.destroy,
  }
  const queue: Step[] = []
  let phase: 'open' | 'held' | 'passing' | 'failed' = response.headersSent ? 'passing' : 'open'
  let isEnded = false
  let needsDrain = false

  /** Whether what is being written has to wait. The first write of all starts the work. */
  function isHeld(): boolean {
    if (phase !== 'open') return phase === 'held'
    const work = hooks.startWork()
    phase = work ? 'held' : 'passing'
    if (work) hold(work)
    return work !== undefined
  }

  function hold(work: Promise<void>): void {
    const { statusCode, statusMessage } = response
    const stopPretending = pretendSent(response, () => isEnded)
    const letDestroy = postponeDestroy(response)
    const settle = (then: () => void) => {
      stopPretending()
      // What the handler set later comes too late, as it would have without us.
      Object.assign(response, { statusCode, statusMessage })
      then()
    }
    work
      .then(
        () => settle(replay),
        (error) => settle(() => fail(error)),
      )
      .catch((error) => own.destroy.call(response, error))
      .finally(letDestroy)
  }

  function replay(): void {
    phase = 'passing'
    for (const { run } of queue.splice(0)) run()
    const isDrained = !response.destroyed && !response.writableEnded && !response.writableNeedDrain
    if (needsDrain && isDrained) process.nextTick(() => response.emit('drain'))
  }

  function fail(error: unknown): void {
    phase = 'failed'
    for (const { callback } of queue.splice(0)) if (callback) process.nextTick(callback, lost())
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    Object.assign(response, { statusCode: 503, statusMessage: '' })
    hooks.onFailure(error)
  }

  /** Keeps what a handler goes on to write out of the answer that was given in its place. */
  function isOver(args: readonly unknown[]): boolean {
    if (phase !== 'failed' || !response.writableEnded) return false
    const callback = callbackOf(args)
    if (callback) process.nextTick(callback, lost())
    return true
  }

  Object.assign(response, {
    writeHead(...args: WriteHeadArguments) {
      if (response.headersSent) throw headersSent('write')
      takeHead(response, args)
      const { statusCode, statusMessage } = response
      const run = () => {
        hooks.beforeHead()
        Reflect.apply(own.writeHead, response, [statusCode, statusMessage])
      }
      if (isHeld()) queue.push({ run })
      else run()
      return response
    },

    write(...args: Parameters<ServerResponse['write']>): boolean {
      if (isOver(args)) return false
      // What cannot be written throws at once.
      if (!isChunk(args[0]) || !isHeld()) return own.write.apply(response, args)
      queue.push({ run: () => own.write.apply(response, args), callback: callbackOf(args) })
      needsDrain = true
      return false
    },

    end(...args: Parameters<ServerResponse['end']>): ServerResponse {
      if (isOver(args)) return response
      const [chunk] = args as unknown[]
      const isWritable = !chunk || typeof chunk === 'function' || isChunk(chunk)
      if (!isWritable || !isHeld()) return own.end.apply(response, args)
      queue.push({ run: () => own.end.apply(response, args), callback: callbackOf(args) })
      isEnded = true
      return response
    },

    flushHeaders(): void {
      if (isHeld()) queue.push({ run: () => own.flushHeaders.call(response) })
      else own.flushHeaders.call(response)
    },

    destroy(error?: Error): ServerResponse {
      const run = () => void own.destroy.call(response, error)
      // Node sends what was written in the next tick.
      if (phase === 'held') queue.push({ run: () => setImmediate(run) })
      else run()
      return response
    },
  })

  return {
    get isSent() {
      return phase !== 'held' && response.headersSent
    },
  }
}

/** Makes a response answer as one whose head is out, until the function that is returned is called. */
function pretendSent(response: ServerResponse, isEnded: () => boolean): () => void {
  const facts = new Map<string, () => unknown>([
    ['headersSent', () => true],
    ['finished', isEnded],
    ...SETTERS.map((name) => [name, () => refuse(name)] as const),
  ])
  const before = [...facts.keys()].map(
    (name) => [name, Object.getOwnPropertyDescriptor(response, name)] as const,
  )
  for (const [name, get] of facts) Object.defineProperty(response, name, { configurable: true, get })
  return () => {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(response, name, descriptor)
      else Reflect.deleteProperty(response, name)
    }
  }
}

function refuse(name: string): () => never {
  return () => {
    throw headersSent(name.replace(/Headers?$/, ''))
  }
}

/**
 * Whoever destroys the connection because the response is out already, as Express does after an error, must not cut off
 * what is still waiting here. With an error, or once it is ended, it is the connection itself that goes.
 */
function postponeDestroy({ socket }: ServerResponse): () => void {
  if (!socket) return () => {}
  let isPostponed = false
  socket.destroy = (error?: Error) => {
    isPostponed = !error && !socket.writableEnded
    if (isPostponed) return socket
    Reflect.deleteProperty(socket, 'destroy')
    return socket.destroy(error)
  }
  return () => {
    Reflect.deleteProperty(socket, 'destroy')
    // As Express does, after Node has sent what was written.
    if (isPostponed) setImmediate(() => socket.destroy())
  }
}

function isChunk(chunk: unknown): boolean {
  return typeof chunk === 'string' || chunk instanceof Uint8Array
}

function callbackOf(args: readonly unknown[]): Callback | undefined {
  const last = args.at(-1)
  // The last argument of `write` and `end`, if it is a function, is the callback.
  return typeof last === 'function' ? (last as Callback) : undefined
}

function lost(): Error {
  return new Error('The response was replaced, since what the request changed could not be saved.')
}

function headersSent(action: string): Error {
  return Object.assign(new Error(`Cannot ${action} headers after they are sent to the client`), {
    code: 'ERR_HTTP_HEADERS_SENT',
  })
}
