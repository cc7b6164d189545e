/** Runs seeds, and writes all that happens: `node trace-process.ts <from> <seeds> [faults that are not to happen]`. */
import { memoryStore } from '../../src/stores/memory.ts'
import { run } from './run.ts'

const [from = '', seeds = '', ...without] = process.argv.slice(2)

for (let seed = Number(from); seed < Number(from) + Number(seeds); seed += 1) {
  const { trace } = await run(seed, { store: () => memoryStore(), isTraced: true, without })
  process.stdout.write(`seed ${seed}\n${trace.join('\n')}\n`)
}
