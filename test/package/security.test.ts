import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/run.ts'

const document = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')

/** Tests that a line names: a file, and titles of tests in it, in italics. */
function claimsIn(line: string): Array<{ file: string; titles: string[] }> {
  return [...line.matchAll(/`([\w/-]+\.test\.ts)`((?:[^`|]*?\*[^*]+\*)*)/g)].map(
    ([, file = '', rest = '']) => ({
      file: `test/${file}`,
      titles: [...rest.matchAll(/\*([^*]+)\*/g)].map(([, title = '']) => title),
    }),
  )
}

const claims = document.split('\n').flatMap(claimsIn)

describe('docs/security.md', () => {
  it('names tests that there are', () => {
    const missing = claims.flatMap(({ file, titles }) => {
      if (!existsSync(join(ROOT, file))) return [file]
      const code = readFileSync(join(ROOT, file), 'utf8')
      return titles.filter((title) => !code.includes(`'${title}'`)).map((title) => `${file}: ${title}`)
    })
    expect(missing).toEqual([])
    expect(claims.flatMap(({ titles }) => titles).length).toBeGreaterThan(40)
  })
})
