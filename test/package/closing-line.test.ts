import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ROOT, run } from '../support/run.ts'
import { temporaryFolders } from '../support/stores/open-store.ts'

const folders = temporaryFolders()

afterAll(() => folders.remove())

describe('the closing line of a run', () => {
  it('counts what passes, fails and is skipped', () => {
    const { lastLines, code } = runTests(`
      it('passes', () => {})
      it('passes too', () => {})
      it('fails', () => expect(1).toBe(2))
      it.skip('is skipped', () => {})
      it.todo('is to come')`)
    expect(lastLines(1)).toEqual(['2 passed, 1 failed, 2 skipped'])
    expect(code).toBe(1)
  })

  it('counts a file that cannot be loaded as failed', () => {
    const { lastLines, code } = runTests("throw new Error('not today')")
    expect(lastLines(1)).toEqual(['0 passed, 1 failed, 0 skipped'])
    expect(code).toBe(1)
  })

  it('counts a failing hook as failed', () => {
    const { lastLines, code } = runTests(`
      afterAll(() => expect(1).toBe(2))
      it('passes', () => {})`)
    expect(lastLines(1)).toEqual(['1 passed, 1 failed, 0 skipped'])
    expect(code).toBe(1)
  })

  it('counts an error outside of any test as failed', () => {
    const { lastLines, code } = runTests(`
      it('passes', async () => {
        setTimeout(() => { throw new Error('too late') })
        await new Promise((resolve) => setTimeout(resolve, 50))
      })`)
    expect(lastLines(1)).toEqual(['1 passed, 1 failed, 0 skipped'])
    expect(code).toBe(1)
  })
})

describe('a missing program', () => {
  const code = `
    import { needs } from '${ROOT}test/support/needs.ts'
    it('passes', () => {})
    const chromium = needs('chromium')
    if (chromium) describe('in Chromium', () => {
      it('passes', () => {})
    })`

  it('is named at the end of the run, with how to install it', () => {
    const { lastLines, code: exitCode } = runTests(code, { PATH: '' })
    expect(lastLines(4)).toEqual([
      'SKIPPED, NOT TESTED:',
      '  one.test.ts: needs chromium: sudo apt-get install chromium',
      '',
      '1 passed, 0 failed, 1 skipped',
    ])
    expect(exitCode).toBe(0)
  })

  it('fails the run where CI=true', () => {
    const { lastLines, code: exitCode } = runTests(code, { PATH: '', CI: 'true' })
    expect(lastLines(4)).toEqual([
      'SKIPPED, NOT TESTED, which fails the run because of CI=true:',
      '  one.test.ts: needs chromium: sudo apt-get install chromium',
      '',
      '1 passed, 0 failed, 1 skipped',
    ])
    expect(exitCode).toBe(1)
  })

  it('is no matter once it is there', () => {
    const folder = folders.make()
    writeFileSync(join(folder, 'google-chrome'), '')
    const { lastLines, code: exitCode } = runTests(code, { PATH: folder, CI: 'true' })
    expect(lastLines(1)).toEqual(['2 passed, 0 failed, 0 skipped'])
    expect(exitCode).toBe(0)
  })
})

/** Runs tests in a process of their own. */
function runTests(code: string, env: NodeJS.ProcessEnv = {}) {
  const folder = folders.make()
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(
    join(folder, 'vitest.config.ts'),
    `import { closingLine } from '${ROOT}test/support/closing-line.ts'
    export default { test: { reporters: ['default', closingLine()] } }`,
  )
  writeFileSync(
    join(folder, 'one.test.ts'),
    `import { afterAll, describe, expect, it } from 'vitest'\n${code}`,
  )
  const { CI, VITEST, ...rest } = process.env
  const ending = run(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run'], {
    cwd: folder,
    env: { ...rest, NO_COLOR: '1', ...env },
  })
  return { code: ending.code, lastLines: (count: number) => ending.output.split('\n').slice(-count - 1, -1) }
}
