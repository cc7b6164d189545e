import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** How a program ended. */
export interface Ending {
  /** What it wrote to standard output. */
  readonly output: string
  /** What it wrote to standard error. */
  readonly errors: string
  /** Its exit code; `null` if a signal ended it. */
  readonly code: number | null
}

/**
 * Runs a program to its end.
 *
 * @param cwd Folder to run it in. Default: the project's.
 * @throws Error if it cannot be started.
 */
export function run(
  program: string,
  args: readonly string[],
  { cwd = ROOT, env = process.env }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Ending {
  const { stdout, stderr, status, error } = spawnSync(program, args, { cwd, env, encoding: 'utf8' })
  if (error) throw error
  return { output: stdout, errors: stderr, code: status }
}
