import { globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TestSpecification, Vitest } from 'vitest/node'
import { FIRST, FileOrder } from '../support/file-order.ts'
import { ROOT } from '../support/run.ts'

const FILES = globSync('test/**/*.test.ts', { cwd: ROOT })

/** Sorts files as a run does. */
async function sort(files: readonly string[]): Promise<string[]> {
  const specifications = files.map((file) => ({ moduleId: join(ROOT, file) }) as TestSpecification)
  const sorted = await new FileOrder({} as Vitest).sort(specifications)
  return sorted.map(({ moduleId }) => moduleId.slice(ROOT.length))
}

describe('the order of the files of a run', () => {
  it('begins with the simulator, and with browsers beside it', async () => {
    expect((await sort(FILES.toSorted())).slice(0, 2)).toEqual([
      'test/simulator/mutants.test.ts',
      'test/e2e/sync.test.ts',
    ])
  })

  it('is the same wherever it begins, and leaves none out', async () => {
    const sorted = await sort(FILES.toSorted())
    expect(await sort(sorted.toReversed())).toEqual(sorted)
    expect(sorted.toSorted()).toEqual(FILES.toSorted())
  })

  it.each(FIRST)('has files of the name %s', (name) => {
    expect(FILES.some((file) => file.startsWith(`test/${name}`))).toBe(true)
  })
})
