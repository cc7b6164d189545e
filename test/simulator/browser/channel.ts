import type { OnMessage } from '../../../src/client/page/page.ts'
import type { Fate } from '../world/fate.ts'
import type { Life } from '../world/life.ts'

/** The channel between the tabs of a browser, which may lose messages. */
export interface Channel {
  /** Opens a tab's end of it. */
  open(tab: string, life: Life, listener: OnMessage): { post(message: unknown): void; close(): void }
}

interface End {
  readonly tab: string
  readonly life: Life
  readonly listener: OnMessage
}

/** Opens the channel of a browser. */
export function openChannel(fate: Fate): Channel {
  const ends = new Set<End>()
  let count = 0

  function deliver(end: End, message: unknown): void {
    count += 1
    if (fate.befalls('lost message', `${end.tab}, message ${count}`)) return
    const ms = fate.dice(`message ${count} to ${end.tab}`).between(0.1, 20)
    end.life.after(ms, () => {
      if (ends.has(end)) end.listener(message)
    })
  }

  return {
    open(tab, life, listener) {
      const own: End = { tab, life, listener }
      ends.add(own)
      life.onEnd(() => ends.delete(own))
      return {
        post(message) {
          for (const end of ends) if (end !== own) deliver(end, message)
        },
        close: () => ends.delete(own),
      }
    },
  }
}
