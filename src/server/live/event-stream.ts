import { type Cursors, type LiveBye, type LiveCursors, PROTOCOL } from '../../core/sync/wire.ts'
import type { Timer } from '../timer.ts'
import { movedCursors, type Position } from './watches.ts'

/** The events of one page. */
export interface EventStream {
  /** What the page reads. */
  readonly body: ReadableStream<Uint8Array>
  /** Says where the visitor's records are: all of them the first time, later those that have moved. */
  tell(position: Position): void
  /** Says when to come again, some time within `spreadMs`, and ends. */
  bye(spreadMs: number): void
}

/** Options of {@link openEventStream}. */
export interface EventStreamOptions {
  /** Calls back after some ms. */
  readonly timer: Timer
  /** A number from 0 to 1. */
  readonly fraction: () => number
  /** Is called once, when the stream has ended: by `bye`, by the page, or because the page does not read. */
  readonly onEnd: () => void
}

/** How long nothing is sent, in ms, until a heartbeat is: proxies close what is silent for 60 s (nginx, AWS, Heroku: 55). */
const BEAT_MS = 15_000

/** How long a stream lives on average, in ms. */
const LIFE_MS = 300_000

/** Within how many ms a page comes back whose stream has lived long enough: all end at times of their own. */
const RETRY_MS = 2_000

/** Most events that wait for a page to read them. */
const MAX_QUEUED = 16

const encoder = new TextEncoder()

/** Opens a stream of events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export function openEventStream({ timer, fraction, onEnd }: EventStreamOptions): EventStream {
  let restMs = LIFE_MS * (0.8 + 0.4 * fraction())
  let said: Cursors | undefined
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let stopTimer = startBeat()

  const body = new ReadableStream<Uint8Array>(
    {
      start(ours) {
        controller = ours
      },
      cancel: end,
    },
    { highWaterMark: MAX_QUEUED },
  )

  function startBeat(): () => void {
    const ms = Math.min(BEAT_MS, restMs)
    return timer(() => {
      restMs -= ms
      if (restMs <= 0) {
        bye(RETRY_MS)
        return
      }
      stopTimer = startBeat()
      write(':\n\n')
    }, ms)
  }

  /** A page that does not read loses its stream: it learns all there is from the next one. */
  function write(text: string): void {
    if (!controller) return
    if ((controller.desiredSize ?? 0) > 0) {
      controller.enqueue(encoder.encode(text))
      return
    }
    controller.error(new Error('The client does not read its events.'))
    end()
  }

  function bye(spreadMs: number): void {
    const retryMs = Math.round(spreadMs * fraction())
    const data: LiveBye = { v: PROTOCOL, retryMs }
    // `retry` is for clients that leave coming back to their EventSource.
    write(`retry: ${retryMs}\n${toEvent('bye', data)}`)
    controller?.close()
    end()
  }

  function end(): void {
    if (!controller) return
    controller = undefined
    stopTimer()
    onEnd()
  }

  return {
    body,

    tell(position) {
      const before = said
      const cursors = before
        ? movedCursors((store) => (Object.hasOwn(before, store) ? before[store] : undefined), position)
        : position.cursors
      said = position.cursors
      const data: LiveCursors = { v: PROTOCOL, cursors: cursors ?? {} }
      if (cursors) write(toEvent(before ? 'poke' : 'hello', data))
      if (position.isGone) bye(RETRY_MS)
    },

    bye,
  }
}

function toEvent(event: string, data: LiveBye | LiveCursors): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
