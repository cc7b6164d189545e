/** Calls back after some ms; what it returns takes the call back. */
export type Timer = (run: () => void, ms: number) => () => void

/** The timer of Node. It keeps no process running. */
export function startTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}

/** Calls back after some ms, and keeps the process running: somebody waits. */
export const startHeldTimer: Timer = (run, ms) => {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}
