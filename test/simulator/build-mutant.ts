import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type { Mutant } from './mutants.ts'

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url))
const ENTRY = fileURLToPath(new URL('./mutant.ts', import.meta.url))

/**
 * Bundles the simulator with what it runs, changed.
 *
 * @throws Error if what is to be replaced is not there exactly once: then the mutant has to follow the source.
 */
export async function buildMutant({ rule, changes }: Mutant, outfile: string): Promise<void> {
  const changed = new Map<string, string>()
  for (const { file, from, to } of changes) {
    const path = SOURCES + file
    const code = changed.get(path) ?? readFileSync(path, 'utf8')
    const [before, after, ...more] = code.split(from)
    if (before === undefined || after === undefined || more.length > 0) {
      throw new Error(
        `The mutant without the rule "${rule}" replaces what is not in ${file} exactly once: ${from}`,
      )
    }
    changed.set(path, before + to + after)
  }
  const replace: Plugin = {
    name: 'replace',
    setup(builder) {
      builder.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = changed.get(path)
        return contents === undefined ? undefined : { contents, loader: 'ts' }
      })
    },
  }
  await build({
    entryPoints: [ENTRY],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    plugins: [replace],
    // Packages stay as they are.
    packages: 'external',
    logLevel: 'error',
  })
}
