import type { Timers } from '../clock.ts'

/** An event of a stream; a heartbeat is one without a name. */
export interface StreamEvent {
  readonly event: string | undefined
  /** What the JSON in it says. */
  readonly data: unknown
}

/** The events of a stream, one after the other. */
export interface EventReader {
  /** The next event, as soon as it is there; `undefined` at the end. */
  next(): Promise<StreamEvent | undefined>
  /** Goes away. */
  cancel(): Promise<void>
}

/** Reads the events of a response. */
export function readEvents({ body }: Response): EventReader {
  if (!body) throw new TypeError('the response has no body')
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end >= 0) {
          const event = parseEvent(text.slice(0, end))
          text = text.slice(end + 2)
          return event
        }
        const { done, value } = await reader.read()
        if (done) return undefined
        text += value
      }
    },
    cancel: () => reader.cancel(),
  }
}

function parseEvent(text: string): StreamEvent {
  const fields = new Map(
    text.split('\n').map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    }),
  )
  return { event: fields.get('event'), data: JSON.parse(fields.get('data') ?? 'null') }
}

/** Bytes that look random and are the same in every run. */
export function seededRandom(seed: number): (bytes: number) => Buffer {
  let state = seed
  // Numerical Recipes' generator; its high bits will do.
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  }
  return (bytes) => Buffer.from(Array.from({ length: bytes }, next))
}

/** The timers of a server, by what they are for. */
export const FOR = {
  heartbeat: (ms: number) => ms === 15_000,
  collecting: (ms: number) => ms === 100,
  poll: (ms: number) => ms === 25_000,
  check: (ms: number) => ms >= 24_000 && ms <= 36_000 && ms !== 25_000,
}

/** Lets the timers of one kind call back; returns how many there were. */
export function fire(timers: Timers, kind: keyof typeof FOR): number {
  const due = timers.waiting.filter(({ ms }) => FOR[kind](ms))
  for (const timer of due) timer.fire()
  return due.length
}

/** Lets promises get on with what they can do without waiting for anything. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
