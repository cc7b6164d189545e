/** Refuses options that there are not: a misspelt one would go unnoticed. */
export function checkKeys(where: string, options: object, allowed: readonly string[]): void {
  for (const key of Object.keys(options)) {
    check(
      allowed.includes(key),
      where,
      `there is no option ${JSON.stringify(key)}, only ${allowed.join(', ')}`,
    )
  }
}

/** Refuses what a call was given, saying where and what to do. */
export function check(isGood: boolean, where: string, advice: string): asserts isGood {
  if (!isGood) throw new TypeError(`${where}: ${advice}.`)
}
