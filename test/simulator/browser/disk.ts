import type { Rows } from '../../../src/client/table/rows.ts'
import type { Fate } from '../world/fate.ts'
import type { Life } from '../world/life.ts'
import type { Timeline } from '../world/timeline.ts'

/** Where a browser keeps rows for all of its tabs. */
export interface Disk {
  /** What is kept. */
  readonly rows: ReadonlyMap<string, unknown>
  /** Opens it in a tab. */
  open(tab: string, life: Life): Rows
  /** Undoes all transactions after some time. */
  rollBack(since: number): void
}

/** Circumstances of {@link openDisk}. */
export interface DiskOptions {
  /** Virtual time. */
  readonly timeline: Timeline
  /** What goes wrong. */
  readonly fate: Fate
  /** Told after each transaction. */
  readonly onCommit: (rows: ReadonlyMap<string, unknown>) => void
  /** Told of each failure. */
  readonly onFailure: () => void
}

/** After how many ms a call that hangs is given up: what `deviceRows` waits. */
const DEADLINE_MS = 5_000

/** Opens the disk of a browser. */
export function openDisk({ timeline, fate, onCommit, onFailure }: DiskOptions): Disk {
  let rows: ReadonlyMap<string, unknown> = new Map()
  let past: Array<{ readonly at: number; readonly before: ReadonlyMap<string, unknown> }> = []
  /** Transactions come in the order in which they were asked for. */
  let lastTurn = 0

  function under(prefix: string): Map<string, unknown> {
    return new Map([...rows].filter(([key]) => key.startsWith(prefix)))
  }

  function commit(changes: ReadonlyMap<string, unknown>): void {
    past.push({ at: timeline.now, before: rows })
    const next = new Map(rows)
    for (const [key, value] of changes) {
      if (value === undefined) next.delete(key)
      else next.set(key, value)
    }
    rows = next
    onCommit(rows)
  }

  function open(tab: string, life: Life): Rows {
    const dice = fate.dice(`disk of ${tab}`)
    let calls = 0

    /** Both halves of a call take time, and a tab may end in between. */
    async function call<Result>(fault: 'failed read' | 'failed write', work: () => Result): Promise<Result> {
      calls += 1
      const what = `${tab}, storage call ${calls}`
      if (fate.befalls('hanging storage', what)) {
        onFailure()
        await life.wait(DEADLINE_MS)
        throw new Error('The simulated database did not answer in time.')
      }
      lastTurn = Math.max(lastTurn, timeline.now + dice.between(0.1, 3))
      await life.wait(lastTurn - timeline.now)
      if (fate.befalls(fault, what)) {
        onFailure()
        throw new Error(`The simulated database had a ${fault}.`)
      }
      const result = work()
      await life.wait(dice.between(0.1, 3))
      return result
    }

    return {
      load: (prefix) => call('failed read', () => under(prefix)),
      change: (prefix, step) =>
        call('failed write', () => {
          commit(step(under(prefix)))
          return under(prefix)
        }),
      close() {},
    }
  }

  return {
    get rows() {
      return rows
    },
    open,
    rollBack(since) {
      const first = past.find(({ at }) => at > since)
      if (!first) return
      rows = first.before
      past = past.filter(({ at }) => at <= since)
    },
  }
}
