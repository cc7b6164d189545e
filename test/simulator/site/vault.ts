import { BinsError } from '../../../src/core/error.ts'
import type { Store, Stored } from '../../../src/stores/store.ts'
import type { Life } from '../world/life.ts'
import type { World } from '../world/world.ts'
import { type History, openHistory } from './history.ts'

/** The store behind the processes of a simulated site, which can be restored from a backup. */
export interface Vault {
  /** Opens the store as a process sees it: slow, and failing at times. */
  open(process: string, life: Life): Store
  /**
   * Goes on in a copy of the store that lacks the last writes. Processes that run notice one by one, and write to the
   * lost one until then.
   */
  failOver(lostWrites: number): Promise<void>
  /** What the present store has held. */
  readonly history: History
  /** Number of writes to the present store. */
  readonly writes: number
  /** What stores that were lost have held. */
  readonly lost: readonly History[]
  /** Has all processes notice where the store is now. */
  settle(): void
  /** Ends the stores. */
  close(): Promise<void>
}

/** What one copy of the store has been through. */
interface Line {
  readonly store: Store
  readonly history: History
  readonly writes: Array<{ readonly key: string; readonly stored: Stored }>
}

/** After how many ms a process notices a failover, at most. */
const NOTICE_MS = 8_000

/** Opens the vault of a site. */
export async function openVault(
  world: World,
  openStore: () => Store | Promise<Store>,
  onErased: (key: string) => void,
): Promise<Vault> {
  const { timeline, fate, trace } = world
  const lost: History[] = []
  let present = await openLine()
  const places = new Map<Life, Line>()

  async function openLine(): Promise<Line> {
    const store = await timeline.hold(Promise.resolve(openStore()))
    return { store, history: openHistory(world, onErased), writes: [] }
  }

  async function write(
    line: Line,
    key: string,
    stored: Stored,
    expected: number,
    now: number,
  ): Promise<boolean> {
    const isWritten = await timeline.hold(line.store.write(key, stored, expected, now))
    if (isWritten) {
      line.writes.push({ key, stored })
      line.history.note(key, stored.text)
    }
    return isWritten
  }

  return {
    open(process, life) {
      const dice = fate.dice(`store of ${process}`)
      let calls = 0
      places.set(life, present)

      async function call<Result>(work: (line: Line) => Promise<Result>): Promise<Result> {
        calls += 1
        const what = `${process}, store call ${calls}`
        await life.wait(fate.befalls('slow store', what) ? 8_000 : dice.between(0.1, 4))
        if (fate.befalls('lost store call', what)) throw failed()
        const result = await work(places.get(life) ?? present)
        await life.wait(dice.between(0.1, 4))
        if (fate.befalls('lost store answer', what)) throw failed()
        return result
      }

      const ask = <Result>(work: (store: Store) => Promise<Result>) =>
        call(({ store }) => timeline.hold(work(store)))
      return {
        durable: present.store.durable,
        read: (key, options) => ask((store) => store.read(key, options)),
        write: (key, next, expected, now) => call((line) => write(line, key, next, expected, now)),
        delete: (key, expected) => ask((store) => store.delete(key, expected)),
        sweep: (now, limit) => ask((store) => store.sweep(now, limit)),
      }
    },

    async failOver(lostWrites) {
      world.hasFailedOver = true
      const former = present
      const next = await openLine()
      const kept = former.writes.slice(0, Math.max(0, former.writes.length - lostWrites))
      const last = new Map(kept.map(({ key, stored }) => [key, stored]))
      for (const [key, stored] of last) {
        if (stored.expires > timeline.now) await timeline.hold(next.store.write(key, stored, 0, timeline.now))
      }
      for (const { key, stored } of kept) {
        next.writes.push({ key, stored })
        next.history.note(key, stored.text)
      }
      trace.say('store', () => `goes on without its last ${former.writes.length - kept.length} writes`)
      former.history.isLost = true
      lost.push(former.history)
      present = next
      const dice = fate.dice(`failover ${lost.length}`)
      for (const life of places.keys()) {
        const ms = dice.between(0, NOTICE_MS)
        life.after(ms, () => places.set(life, present))
      }
    },

    get history() {
      return present.history
    },

    get writes() {
      return present.writes.length
    },

    lost,

    settle() {
      for (const life of places.keys()) places.set(life, present)
    },

    async close() {
      await present.store.close?.()
    },
  }
}

function failed(): BinsError {
  return new BinsError('STORE_FAILED', 'The simulated store failed.')
}
