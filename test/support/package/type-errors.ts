import { dirname, join } from 'node:path'
import { ROOT, run } from '../run.ts'

/** What the compiler has to say about a line. */
export interface Diagnostic {
  /** Path, seen from the folder of the tsconfig. Empty for what is about no file. */
  readonly file: string
  /** Number of the line, from 1; 0 for what is about no file. */
  readonly line: number
  /** What is wrong, with its explanations on lines of their own. */
  readonly message: string
}

/** Compiles the files of a tsconfig, and answers what is wrong with them. */
export function typeErrors(tsconfig: string): Diagnostic[] {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { output, errors } = run(
    process.execPath,
    [compiler, '--noEmit', '--pretty', 'false', '-p', tsconfig],
    {
      cwd: dirname(tsconfig),
    },
  )
  // An explanation is indented.
  return (output + errors)
    .split(/\n(?! )/)
    .filter((text) => text !== '')
    .map((text) => {
      const [, file = '', line = '0', message = text] = /^(.+?)\((\d+),\d+\): (.*)$/s.exec(text) ?? []
      return { file, line: Number(line), message }
    })
}
