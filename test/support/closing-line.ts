import type { Reporter, TestCase, TestModule } from 'vitest/node'
import { doneWithout } from './programs.ts'

/**
 * Reports a run in its very last line: `N passed, N failed, N skipped`. A file that cannot be loaded, a failing hook
 * and an error outside of any test count as failed. Skipped tests are named before it, and fail the run where
 * `CI=true`: what is skipped there is never noticed. So are programs that `BREADBIN_WITHOUT` excuses, which fail nothing.
 */
export function closingLine(): Reporter {
  let text = ''
  let isFailed = false
  return {
    onInit() {
      // Other reporters, and Vitest itself, write until the end.
      process.once('exit', () => {
        if (isFailed && !process.exitCode) process.exitCode = 1
        process.stdout.write(text)
      })
    },
    onTestRunEnd(modules, errors) {
      const tests = modules.flatMap((module) => [...module.children.allTests()])
      const count = (state: string) => tests.filter((test) => test.result().state === state).length
      const skipped = tests.filter((test) => test.result().state === 'skipped')
      const failed =
        count('failed') + count('pending') + modules.flatMap(errorsOutsideTests).length + errors.length
      isFailed = failed > 0 || (skipped.length > 0 && process.env.CI === 'true')
      text = `${describeMissing()}${describeSkipped(skipped)}\n${count('passed')} passed, ${failed} failed, ${skipped.length} skipped\n`
    },
  }
}

function errorsOutsideTests(module: TestModule): unknown[] {
  return [module, ...module.children.allSuites()].flatMap((suite) => suite.errors())
}

function describeMissing(): string {
  const missing = doneWithout()
  return missing.length === 0 ? '' : `\nNOT TESTED, because of BREADBIN_WITHOUT: ${missing.join(', ')}\n`
}

function describeSkipped(skipped: readonly TestCase[]): string {
  if (skipped.length === 0) return ''
  const names = skipped.map((test) => `  ${test.module.relativeModuleId}: ${test.fullName}`)
  const effect = process.env.CI === 'true' ? ', which fails the run because of CI=true' : ''
  return `\nSKIPPED, NOT TESTED${effect}:\n${names.join('\n')}\n`
}
