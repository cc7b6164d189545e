import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { temporaryFolders } from '../support/stores/open-store.ts'
import { findFault } from './find-fault.ts'

const folders = temporaryFolders()

afterAll(() => folders.remove())

it('leaves processors to whatever else wants them', async () => {
  const module = join(folders.make(), 'simulator.mjs')
  const code = `
    import { getPriority } from 'node:os'
    export const run = async () => ({ violation: { rule: String(getPriority()) } })`
  writeFileSync(module, code)
  const lowest = String(constants.priority.PRIORITY_LOW)
  expect(await findFault({ from: 7, seeds: 1, module })).toEqual({ seed: 7, rule: lowest })
})
