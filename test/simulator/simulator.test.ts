import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { run } from '../support/run.ts'
import { findFault } from './find-fault.ts'

const { BREADBIN_SEEDS = '10000', BREADBIN_FIRST_SEED = '1' } = process.env
const seeds = Number(BREADBIN_SEEDS)
const first = Number(BREADBIN_FIRST_SEED)
const TRACE = fileURLToPath(new URL('./trace-process.ts', import.meta.url))

describe('the simulator', () => {
  it('gives the same run for the same seed', () => {
    const trace = () => run(process.execPath, [TRACE, String(first), '20'])
    const { output, errors, code } = trace()
    expect([errors, code]).toEqual(['', 0])
    expect(output.split('\n').length).toBeGreaterThan(500)
    expect(trace().output).toBe(output)
  })

  it(`finds no fault in seeds ${first} to ${first + seeds - 1}`, { timeout: 3_600_000 }, async () => {
    const share = Math.ceil(seeds / availableParallelism())
    const froms = Array.from({ length: Math.ceil(seeds / share) }, (_, index) => first + index * share)
    const found = await Promise.all(
      froms.map((from) => findFault({ from, seeds: Math.min(share, first + seeds - from) })),
    )
    expect(found.filter((fault) => fault !== undefined)).toEqual([])
  })
})
