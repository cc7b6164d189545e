import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'

/** A seed that breaks a rule. */
export interface Fault {
  readonly seed: number
  readonly rule: string
}

const PROCESS = fileURLToPath(new URL('./seeds-process.ts', import.meta.url))
const SIMULATOR = fileURLToPath(new URL('./mutant.ts', import.meta.url))

/** Looks for a seed that breaks a rule, in a process of its own. Its time is virtual, so it leaves the real one to others. */
export async function findFault(options: {
  from: number
  seeds: number
  module?: string
}): Promise<Fault | undefined> {
  const { from, seeds, module = SIMULATOR } = options
  const args = [PROCESS, module, String(from), String(seeds)]
  const flags = ['--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  // A process that cannot be started has no id, and 'error' says so.
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`a simulation ended with exit code ${code}`)
  return output === '' ? undefined : JSON.parse(output)
}
