import { dirname, join } from 'node:path/posix'

/** An import, or a re-export, of one module by another. */
export interface Import {
  /** Path of the module imported, seen from the project; or the name of a package. */
  readonly target: string
  /** Whether nothing is left of it when the code runs. */
  readonly isTypeOnly: boolean
}

/**
 * Finds what a module imports. It reads lines as the formatter writes them: statements begin in the first column, and
 * names are in single quotes.
 *
 * @param path Path of the module, seen from the project.
 */
export function importsOf(path: string, code: string): Import[] {
  const statements = [...code.matchAll(/^(?:im|ex)port ([\w\s{},*]+?) from '([^']+)'/gm)]
  const effects = [...code.matchAll(/^import '([^']+)'/gm)]
  const calls = [...code.matchAll(/\b(typeof )?import\('([^']+)'\)/g)]
  return [
    ...statements.map(([, names = '', target = '']) => ({ target, isTypeOnly: areTypes(names) })),
    ...effects.map(([, target = '']) => ({ target, isTypeOnly: false })),
    ...calls.map(([, type, target = '']) => ({ target, isTypeOnly: type !== undefined })),
  ].map(({ target, isTypeOnly }) => ({
    target: target.startsWith('.') ? join(dirname(path), target) : target,
    isTypeOnly,
  }))
}

function areTypes(names: string): boolean {
  if (names.startsWith('type ')) return true
  const [, list] = /^\{([^}]*)\}$/.exec(names) ?? []
  return list?.split(',').every((name) => /^\s*(type |$)/.test(name)) ?? false
}

/**
 * Finds modules that, directly or through others, import themselves when the code runs.
 *
 * @returns One of the ways around for each, such as `a.ts > b.ts > a.ts`.
 */
export function cyclesIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles = new Set<string>()
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start >= 0) cycles.add([...way.slice(start), path].join(' > '))
    if (start >= 0 || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...way, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return [...cycles]
}
