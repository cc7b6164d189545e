import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Paths of all directories below a directory. */
export function directoriesIn(directory: string): string[] {
  return pathsIn(directory).filter((path) => statSync(join(directory, path)).isDirectory())
}

/** Paths of all files below a directory. */
export function filesIn(directory: string): string[] {
  return pathsIn(directory).filter((path) => statSync(join(directory, path)).isFile())
}

function pathsIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
}
