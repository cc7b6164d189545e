import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ROOT } from '../support/run.ts'
import { buildMutant } from './build-mutant.ts'
import { findFault } from './find-fault.ts'
import { MUTANTS } from './mutants.ts'

// Below the packages that it imports, and not in what other tests publish meanwhile.
const folder = mkdtempSync(join(ROOT, 'node_modules/.mutants-'))
const table: string[] = []

describe('the simulator finds out that a rule is missing:', () => {
  afterAll(() => {
    rmSync(folder, { recursive: true })
    process.stdout.write(`Seeds until a missing rule is found out:\n${table.join('\n')}\n`)
  })

  it.concurrent.each(MUTANTS)('$rule', { timeout: 3_600_000 }, async (mutant) => {
    const index = MUTANTS.indexOf(mutant)
    const module = join(folder, `${index}.mjs`)
    await buildMutant(mutant, module)
    const fault = await findFault({ from: 1, seeds: mutant.seeds, module })
    table[index] =
      `${String(fault?.seed ?? '–').padStart(6)}  ${mutant.rule}: ${fault?.rule ?? 'not found out'}`
    expect(fault).toBeDefined()
  })
})
