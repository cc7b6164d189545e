/** What happened in a run, in plain words. */
export interface Trace {
  /** Says what happened. Costs nothing where nobody listens. */
  say(who: string, what: () => string): void
  /** All that was said, a line each. */
  readonly lines: readonly string[]
}

/** Opens a trace. */
export function openTrace(isKept: boolean, clock: () => number): Trace {
  const lines: string[] = []
  const start = clock()
  return {
    say(who, what) {
      if (isKept) lines.push(`${formatTime(clock() - start)}  ${who.padEnd(8)}  ${what()}`)
    },
    lines,
  }
}

/** Days, if any, hours, minutes, seconds and ms since the start. */
function formatTime(ms: number): string {
  const days = Math.floor(ms / 86_400_000)
  const time = new Date(Math.round(ms)).toISOString().slice(11, 23)
  return `${days > 0 ? `${days} d ` : ''}${time}`
}
