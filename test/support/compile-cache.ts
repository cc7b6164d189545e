import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Set-up of a run: Node keeps what it has compiled, in a folder of this run. The tests start more than a thousand processes
 * that load the same modules, and most of what each would do is to take the types out of them.
 *
 * @returns What removes the folder, if this call has made it: every project of a run makes this call.
 */
export function setup(): (() => void) | undefined {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'breadbin-'))
  process.env.NODE_COMPILE_CACHE = folder
  return () => {
    delete process.env.NODE_COMPILE_CACHE
    // A process that was told to end may still be writing to it.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}
