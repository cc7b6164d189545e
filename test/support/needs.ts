import { it } from 'vitest'
import { findProgram, howToInstall, type ProgramName } from './programs.ts'

/**
 * Finds a program in PATH. Where it is missing, a skipped test takes the place of those that need it, named after what
 * is missing and how to install it; the run's last lines repeat that.
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
  if (!path) it.skip(`needs ${name}: ${howToInstall(name)}`)
  return path
}
