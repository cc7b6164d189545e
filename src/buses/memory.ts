import type { Bus, BusListener } from './bus.ts'

/** Carries messages between servers of one process: for tests, and for a site that serves several sets of bins. */
export function memoryBus(): Bus {
  const listeners = new Set<BusListener>()
  return {
    async publish(message) {
      for (const listener of [...listeners]) listener.message(message)
    },

    async subscribe({ message, gap }) {
      // The same listener may subscribe twice.
      const listener = { message, gap }
      listeners.add(listener)
      return async () => {
        listeners.delete(listener)
      }
    },
  }
}
