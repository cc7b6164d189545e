import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cyclesIn, type Import, importsOf } from '../support/imports.ts'
import { ROOT } from '../support/run.ts'

/** What the modules of a folder may import, besides each other. */
interface Rule {
  /** At run time. */
  readonly values: readonly RegExp[]
  /** As types alone. */
  readonly types?: readonly RegExp[]
}

const CORE = /^src\/core\//
const BUS = /^src\/server\/bus\.ts$/
const STORE = /^src\/server\/store\.ts$/
const MEMORY_STORE = /^src\/stores\/memory\.ts$/
/** What several stores are made of. */
const STORE_PARTS = /^src\/stores\/(?:shared|sql)\//
const NODE = /^node:/

const RULES: Record<string, Rule> = {
  core: { values: [CORE, /^superjson$/], types: [/^@standard-schema\/spec$/] },
  client: { values: [CORE, /^src\/client\//, /^js-cookie$/, /^idb-keyval$/] },
  // The memory store is the default outside production.
  server: {
    values: [CORE, /^src\/server\//, MEMORY_STORE, NODE, /^cookie$/, /^@remix-run\/node-fetch-server$/],
  },
  stores: { values: [CORE, STORE_PARTS, NODE], types: [STORE] },
  buses: { values: [CORE, NODE], types: [BUS] },
  testing: { values: [CORE, /^src\/testing\//, /^node:assert\/strict$/], types: [STORE] },
}

/** The one import that no rule covers: messages are taken apart in one place, and zod reaches no other. */
const EXCEPTION = 'src/server/wire-schema.ts imports zod/mini'

const sources = new Map(
  globSync('src/**/*.ts', { cwd: ROOT })
    .sort()
    .map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]),
)
const isEntry = (path: string) => /^src\/[\w-]+\.ts$/.test(path)
const modules = [...sources].filter(([path]) => !isEntry(path))

describe('the modules in src', () => {
  it('import only what their folder may', () => {
    const broken = modules.flatMap(([path, code]) =>
      importsOf(path, code)
        .filter((found) => !isAllowed(path, found))
        .map(({ target }) => `${path} imports ${target}`),
    )
    expect(broken).toEqual([EXCEPTION])
  })

  it('do not import each other in circles', () => {
    const values = (path: string, code: string) =>
      importsOf(path, code)
        .filter(({ isTypeOnly }) => !isTypeOnly)
        .map(({ target }) => target)
    expect(cyclesIn(new Map([...sources].map(([path, code]) => [path, values(path, code)])))).toEqual([])
  })
})

describe('the entries in src', () => {
  const entries = [...sources].filter(([path]) => isEntry(path))

  it.each(entries)('%s holds exports and nothing else', (_, code) => {
    const exports = /^export (?:type )?\{[^}]*\} from '\.\/[\w/-]+\.ts'$/gm
    const comments = /^(?:\/\/.*|\/\*\*[\s\S]*?\*\/)$/gm
    expect(code.replaceAll(comments, '').replaceAll(exports, '').trim()).toBe('')
  })
})

describe('importsOf', () => {
  it('tells types from values', () => {
    const lines = [
      "import { join } from 'node:path'",
      "import superjson, { type Json } from 'superjson'",
      "import type { Bins } from '../core/bins.ts'",
      'import {',
      '  type Stored,',
      '  type Store,',
      "} from './store.ts'",
      "import * as z from 'zod/mini'",
      "import './effects.ts'",
      "export { type Definition, defineBins } from '../core/definition.ts'",
      'export interface Nothing {}',
      "const sqlite: typeof import('node:sqlite') = await import('./later.ts')",
    ]
    const found = importsOf('src/server/sync.ts', lines.join('\n'))
    const name = ({ target, isTypeOnly }: Import) => (isTypeOnly ? `type ${target}` : target)
    expect(found.map(name)).toEqual([
      'node:path',
      'superjson',
      'type src/core/bins.ts',
      'type src/server/store.ts',
      'zod/mini',
      'src/core/definition.ts',
      'src/server/effects.ts',
      'type node:sqlite',
      'src/server/later.ts',
    ])
  })
})

describe('cyclesIn', () => {
  it('finds the way around', () => {
    const graph = { a: ['b', 'c'], b: ['d'], c: ['d'], d: ['b', 'e'], e: [] }
    expect(cyclesIn(new Map(Object.entries(graph)))).toEqual(['b > d > b'])
  })
})

function isAllowed(path: string, { target, isTypeOnly }: Import): boolean {
  const [, folder = '', name = ''] = path.split('/')
  const rule = RULES[folder]
  if (!rule) return false
  // A store is one module, and may have a folder of its name.
  if (folder === 'stores' && target.startsWith(`src/stores/${name.replace('.ts', '')}/`)) return true
  const allowed = isTypeOnly ? [...rule.values, ...(rule.types ?? [])] : rule.values
  return allowed.some((pattern) => pattern.test(target))
}
