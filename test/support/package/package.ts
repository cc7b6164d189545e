import { mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT, run } from '../run.ts'

/** What these tests read of package.json. */
interface PackageJson {
  readonly name: string
  readonly exports: Record<string, string | { types: string; default: string }>
  readonly scripts: Record<string, string>
  readonly bin?: Record<string, string>
  readonly dependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
}

/** The project's package.json. */
// What is missing in it makes the tests fail that ask for it.
export const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageJson

/** An entry of `exports`. */
export interface Entry {
  /** What users import, such as `breadbin/stores/memory`. */
  readonly name: string
  /** Path of the file, seen from the package. */
  readonly file: string
  /** Path of its declarations, if it has any. */
  readonly types: string | undefined
}

/** Every entry of the package. */
export function entries(): Entry[] {
  return Object.entries(PACKAGE.exports).map(([key, target]) => {
    const { default: file, types } =
      typeof target === 'string' ? { default: target, types: undefined } : target
    return { name: join(PACKAGE.name, key), file, types }
  })
}

/** Names of the entries that are modules with types; the others are files for script tags, and package.json. */
export function moduleNames(): string[] {
  return entries()
    .filter(({ types }) => types !== undefined)
    .map(({ name }) => name)
}

/**
 * Packs the built package as it would be published.
 *
 * @returns Path of the tarball.
 */
export function packPackage(folder: string): string {
  const { code, output, errors } = run('npm', [
    'pack',
    '--ignore-scripts',
    '--silent',
    '--pack-destination',
    folder,
  ])
  if (code !== 0) throw new Error(`npm pack failed:\n${errors}`)
  return join(folder, output.trim())
}

/**
 * Installs the packed package in a folder, together with nothing but the dependencies it declares. They are linked, so
 * that no network is needed.
 *
 * @param others Further packages of ours to link.
 */
export function installPackage(folder: string, others: readonly string[] = []): void {
  const modules = join(folder, 'node_modules')
  mkdirSync(modules)
  const { code, errors } = run('tar', ['-xzf', packPackage(folder), '-C', modules])
  if (code !== 0) throw new Error(`tar failed:\n${errors}`)
  renameSync(join(modules, 'package'), join(modules, PACKAGE.name))
  for (const name of [...Object.keys(PACKAGE.dependencies), ...others]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
}
