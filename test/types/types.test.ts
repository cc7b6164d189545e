import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Diagnostic, typeErrors } from '../support/package/type-errors.ts'

const FOLDER = import.meta.dirname
const bad = readFileSync(join(FOLDER, 'bad.ts'), 'utf8').split('\n')

/** Lines that a comment above them declares to be wrong, and a part of what the compiler says about them. */
const expected = bad.flatMap((line, index) => {
  const [, message] = /^\s*\/\/ error: (.+)$/.exec(line) ?? []
  return message === undefined ? [] : [{ line: index + 2, code: bad[index + 1]?.trim(), message }]
})

describe('the types of the built package', () => {
  let errors: Diagnostic[]

  beforeAll(() => {
    errors = typeErrors(join(FOLDER, 'tsconfig.json'))
  })

  it.each(expected)('refuse line $line of bad.ts: $code', ({ line, message }) => {
    const found = errors.filter((error) => error.file === 'bad.ts' && error.line === line)
    expect(found.map((error) => error.message).join('\n')).toContain(message)
  })

  it('refuse nothing else', () => {
    const lines = expected.map(({ line }) => line)
    expect(errors.filter(({ file, line }) => file !== 'bad.ts' || !lines.includes(line))).toEqual([])
  })
})
