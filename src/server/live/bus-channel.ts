import type { Bus } from '../../buses/bus.ts'
import { type OnEvent, report } from '../../core/event.ts'
import { type Change, parseChange } from '../sync/wire-schema.ts'

/** Tells the other processes of the site what this one has written, and hears what they have. */
export interface FanOut {
  /** Tells of a change. Nobody waits for it, and it never fails. */
  publish(change: Change): void
  /** Begins to listen, unless it does already. One that failed is tried again with the next call. */
  listen(): void
  /** Ends the subscription and the bus. */
  close(): Promise<void>
}

/** Options of {@link openFanOut}. */
export interface FanOutOptions {
  /** Takes a change that some process has told of: this one, too. */
  readonly onChange: (change: Change) => void
  /** Changes may have been missed. */
  readonly onGap: () => void
  /** Receives what the owner may want to log or count. */
  readonly onEvent: OnEvent | undefined
}

/** Most messages that may wait for the bus to take them; further ones are lost. */
const MAX_PUBLISHING = 1_000

/** Opens the way to the other processes; without a bus, there are none. */
export function openFanOut(bus: Bus | undefined, { onChange, onGap, onEvent }: FanOutOptions): FanOut {
  let publishing = 0
  let isSubscribed = false
  let isClosed = false
  let stop: (() => Promise<void>) | undefined

  function failed(what: string, cause?: unknown): void {
    report(onEvent, { type: 'bus-failed', cause: new Error(`The bus did not ${what}.`, { cause }) })
  }

  async function send(to: Bus, message: string): Promise<void> {
    publishing += 1
    try {
      await to.publish(message)
    } catch (cause) {
      failed('take a message', cause)
    } finally {
      publishing -= 1
    }
  }

  async function subscribe(to: Bus): Promise<void> {
    isSubscribed = true
    try {
      stop = await to.subscribe({ message, gap: onGap })
      if (isClosed) await end()
      // Nobody has listened until now.
      else onGap()
    } catch (cause) {
      isSubscribed = false
      failed('let us subscribe', cause)
    }
  }

  function message(text: string): void {
    const change = parseChange(text)
    if (change && !isClosed) onChange(change)
  }

  async function end(): Promise<void> {
    await stop?.()
    stop = undefined
  }

  return {
    publish(change) {
      if (!bus || isClosed) return
      if (publishing < MAX_PUBLISHING) void send(bus, JSON.stringify(change))
      else failed('keep up')
    },

    listen() {
      if (bus && !isSubscribed && !isClosed) void subscribe(bus)
    },

    async close() {
      isClosed = true
      // One that is still being made ends itself.
      await end()
      await bus?.close?.()
    },
  }
}
