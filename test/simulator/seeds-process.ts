/**
 * Runs seeds, and writes what came of them as a line of JSON: `node seeds-process.ts <module> <from> <seeds>`,
 * perhaps followed by the faults that are not to happen. The module is the simulator, as it is or with a rule missing.
 */
import type { memoryStore } from '../../src/stores/memory.ts'
import type { run } from './run.ts'

const [module = '', from = '', seeds = '', ...without] = process.argv.slice(2)
const simulator: { run: typeof run; memoryStore: typeof memoryStore } = await import(module)

for (let seed = Number(from); seed < Number(from) + Number(seeds); seed += 1) {
  const { violation } = await simulator.run(seed, { store: () => simulator.memoryStore(), without })
  if (!violation) continue
  process.stdout.write(`${JSON.stringify({ seed, rule: violation.rule })}\n`)
  break
}
