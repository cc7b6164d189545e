import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { run } from '../support/run.ts'

const { BREADBIN_USER_SEEDS = '500', BREADBIN_FIRST_SEED = '1' } = process.env
const PROCESS = fileURLToPath(new URL('./users-process.ts', import.meta.url))

describe('people who log in and out on several devices', () => {
  it(`lose nothing, and get nothing of anybody else's, in ${BREADBIN_USER_SEEDS} seeds`, {
    timeout: 600_000,
  }, () => {
    const args = ['--disable-warning=ExperimentalWarning', PROCESS, BREADBIN_FIRST_SEED, BREADBIN_USER_SEEDS]
    expect(run(process.execPath, args)).toEqual({ output: '', errors: '', code: 0 })
  })
})
