const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const

/** A length of time: seconds, or a decimal number with `s`, `m`, `h` or `d`, such as `'90m'` or `'0.25d'`. */
export type Duration = number | `${number}${keyof typeof SECONDS}`

/**
 * Converts a duration to whole seconds, exactly: `'0.25d'` is 21,600.
 *
 * @throws TypeError unless it is a whole number of seconds above 0. 0 is refused since it means "until the browser
 * closes" in some libraries and "at once" in others.
 */
export function toSeconds(duration: unknown, option: string): number {
  const seconds = typeof duration === 'string' ? parseDuration(duration) : duration
  if (typeof seconds === 'number' && Number.isSafeInteger(seconds) && seconds > 0) return seconds
  throw new TypeError(
    `${option}: ${JSON.stringify(duration) ?? String(duration)} is no duration; pass whole seconds above 0, or a string such as '90m', '6h' or '30d'.`,
  )
}

function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,9})?)([smhd])$/.exec(text) ?? []
  if (amount === undefined) return undefined
  // The expression admits these units only.
  const seconds = Number(amount) * SECONDS[unit as keyof typeof SECONDS]
  // 0.1d is 8640.000000000002 in floating point.
  const whole = Math.round(seconds)
  return Math.abs(seconds - whole) < 1e-6 ? whole : undefined
}
