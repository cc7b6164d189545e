/** Work that is under way, for whoever has to wait until it is done. */
export interface Running {
  /** Adds work. Returns it. */
  add<Result>(work: Promise<Result>): Promise<Result>
  /** Resolves when all of it has ended, however. */
  ended(): Promise<void>
}

/** Opens an empty list of work. */
export function openRunning(): Running {
  const running = new Set<Promise<unknown>>()
  return {
    add(work) {
      running.add(work)
      const end = () => running.delete(work)
      work.then(end, end)
      return work
    },
    async ended() {
      while (running.size > 0) await Promise.allSettled(running)
    },
  }
}
