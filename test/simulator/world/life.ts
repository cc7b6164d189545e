import type { Timeline } from './timeline.ts'

/** One load of a page, or one run of a process: whatever it waits for never comes once it is over. */
export interface Life {
  /** Whether it is over. */
  readonly isOver: boolean
  /** Whether it stands still. */
  readonly isFrozen: boolean
  /** Lets something happen to it after some ms; while it stands still, when it goes on. Returns what takes it back. */
  after(ms: number, happen: () => void): () => void
  /** Waits. */
  wait(ms: number): Promise<void>
  /** Has something done when it ends. */
  onEnd(listener: () => void): void
  /** Has it stand still. */
  freeze(): void
  /** Has it go on. */
  thaw(): void
  /** Ends it. */
  end(): void
}

/** Begins a life. */
export function openLife(timeline: Timeline): Life {
  const endings: Array<() => void> = []
  let missed: Array<() => void> = []
  let isOver = false
  let isFrozen = false

  function after(ms: number, happen: () => void): () => void {
    let isWanted = true
    const meet = () => {
      if (isOver || !isWanted) return
      if (isFrozen) missed.push(meet)
      else happen()
    }
    const cancel = timeline.after(ms, meet)
    return () => {
      isWanted = false
      cancel()
    }
  }

  return {
    get isOver() {
      return isOver
    },
    get isFrozen() {
      return isFrozen
    },
    after,
    wait: (ms) =>
      new Promise((resolve) => {
        after(ms, resolve)
      }),
    onEnd(listener) {
      endings.push(listener)
    },
    freeze() {
      isFrozen = true
    },
    thaw() {
      isFrozen = false
      for (const meet of missed) timeline.after(0, meet)
      missed = []
    },
    end() {
      if (isOver) return
      isOver = true
      missed = []
      for (const listener of endings) listener()
    },
  }
}
