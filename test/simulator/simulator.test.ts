import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { run } from '../../src/testing/simulator/run.ts'
import { findFault, SOUND_STORAGE } from './find-fault.ts'

const { BREADBIN_SEEDS = '1000', BREADBIN_FIRST_SEED = '1' } = process.env
const seeds = Number(BREADBIN_SEEDS)
const first = Number(BREADBIN_FIRST_SEED)

describe('the simulator', () => {
  it('gives the same run for the same seed', async () => {
    for (let seed = first; seed < first + 20; seed += 1) {
      const [one, other] = [await trace(seed), await trace(seed)]
      expect(one.length).toBeGreaterThan(10)
      expect(other).toEqual(one)
    }
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

async function trace(seed: number): Promise<readonly string[]> {
  return (await run(seed, { store: () => memoryStore(), isTraced: true, without: SOUND_STORAGE })).trace
}
