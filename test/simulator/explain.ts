/** Says in plain words why a seed breaks a rule: `node test/simulator/explain.ts <seed> [faults that are not to happen]`. */
import { memoryStore } from '../../src/stores/memory.ts'
import { run } from './run.ts'
import { shrink } from './shrink.ts'

/** How often the seed is run again to find out which of its steps and faults are needed. */
const MOST_TRIES = 600

const [text = '', ...without] = process.argv.slice(2)
const seed = Number(text)
const options = { store: () => memoryStore(), without }
const { violation, happened } = await run(seed, options)

if (violation) {
  const breaksIt = async (part: readonly string[]) =>
    (await run(seed, { ...options, only: new Set(part) })).violation?.rule === violation.rule
  const only = new Set(await shrink(happened, breaksIt, MOST_TRIES))
  const { trace } = await run(seed, { ...options, only, isTraced: true })
  process.stdout.write(
    `Seed ${seed} breaks the rule "${violation.rule}": ${violation.what}.\n\n${trace.join('\n')}\n`,
  )
} else {
  process.stdout.write(`Seed ${seed} breaks no rule.\n`)
}
