import { it } from 'vitest'
import { doneWithout, findProgram, howToInstall, type ProgramName } from './programs.ts'

/**
 * Finds a program in PATH. Where it is missing, a skipped test takes the place of those that need it, named after what
 * is missing and how to install it, unless `BREADBIN_WITHOUT` says that this run does without; its last lines repeat either.
 *
 * ```ts
 * const chromium = needs('chromium')
 * if (chromium) describe('cookies in Chromium', () => { … })
 * ```
 *
 * @returns Path of the executable, or `undefined`.
 */
export function needs(name: ProgramName): string | undefined {
  const path = findProgram(name)
  if (!path && !doneWithout().includes(name)) it.skip(`needs ${name}: ${howToInstall(name)}`)
  return path
}
