import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cyclesIn, type Import, importsOf } from '../support/package/imports.ts'
import { UNMIRRORED } from '../support/package/unmirrored.ts'
import { ROOT } from '../support/run.ts'

/** The rooms of the house, files and folders, from the ground up: each imports only from itself and from those above it in this list. */
const ROOMS = [
  // The ground: numbers, errors, events. Pure, and for both sides, as all of core.
  'core/platform.d.ts',
  'core/limits.ts',
  'core/error.ts',
  'core/event.ts',
  'core/utf8.ts',
  'core/base64url.ts',
  'core/check.ts',
  'core/codec/',
  'core/definition/',
  'core/bins.ts',
  'core/reader.ts',
  'core/cookie/',
  'core/sync/',

  'stores/',
  'buses/',
  'migrate/',

  'server/errors.ts',
  'server/timer.ts',
  'server/random.ts',
  'server/in-flight.ts',
  'server/http/',
  'server/records/',
  'server/cookies/',
  'server/identity/',
  'server/parts.ts',
  'server/owner/',
  'server/request/',
  'server/sync/',
  'server/live/',
  'server/frameworks/',
  'server/options.ts',
  'server/server.ts',

  'client/client-bins.ts',
  'client/table/',
  'client/page/',
  'client/replica/',
  'client/sync/',
  'client/header/',
  'client/local.ts',
  'client/page-bins.ts',
  'client/open-bins.ts',
  'client/link.ts',

  'testing/',
]

/** What the modules of a side may import besides each other. The list of rooms says in which order. */
const SIDES: Record<string, readonly RegExp[]> = {
  core: [/^superjson$/, /^@standard-schema\/spec$/],
  stores: [/^src\/core\//, /^node:/],
  buses: [/^src\/core\//, /^node:/],
  migrate: [/^src\/core\//, /^src\/stores\/store\.ts$/, /^node:crypto$/],
  // The memory store is the default outside production.
  server: [
    ...[/^src\/core\//, /^src\/stores\/(?:store|memory)\.ts$/, /^src\/buses\/bus\.ts$/],
    ...[/^node:/, /^cookie$/, /^@remix-run\/node-fetch-server$/],
  ],
  client: [/^src\/core\//, /^js-cookie$/, /^idb-keyval$/],
  testing: [/^src\/core\//, /^src\/stores\/store\.ts$/, /^node:assert\/strict$/],
}

/** What several stores are made of. */
const STORE_PARTS = /^src\/stores\/(?:store\.ts$|shared\/|sql\/)/

/** The one import that no rule covers: messages are taken apart in one place, and zod reaches no other. */
const EXCEPTION = 'src/server/sync/wire-schema.ts imports zod/mini'

/** Most files in one folder: a reader takes them in at a glance. */
const MAX_FILES = 20

/** Lines up to which a source file needs no test file of its own. */
const SMALL = 40

/** Folders that are made, or installed. */
const UNLISTED = ['dist', 'node_modules']

const sources = new Map(
  globSync('src/**/*.ts', { cwd: ROOT })
    .sort()
    .map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]),
)
const isEntry = (path: string) => /^src\/[\w-]+\.ts$/.test(path)
const modules = [...sources].filter(([path]) => !isEntry(path))

describe('the modules in src', () => {
  it('have a room each', () => {
    expect(modules.map(([path]) => path).filter((path) => roomOf(path) < 0)).toEqual([])
    const empty = ROOMS.filter((_, room) => !modules.some(([path]) => roomOf(path) === room))
    expect(empty).toEqual([])
  })

  it('import from their own room and from those above it, types included', () => {
    const upward = modules.flatMap(([path, code]) =>
      importsOf(path, code)
        .filter(({ target }) => target.startsWith('src/') && !(roomOf(target) <= roomOf(path)))
        .map(({ target }) => `${path} imports ${target}`),
    )
    expect(upward).toEqual([])
  })

  it('import only what their side may', () => {
    const broken = modules.flatMap(([path, code]) =>
      importsOf(path, code)
        .filter((found) => !isAllowed(path, found))
        .map(({ target }) => `${path} imports ${target}`),
    )
    expect(broken).toEqual([EXCEPTION])
  })

  it('do not import each other in circles, types included', () => {
    const targets = modules.map(([path, code]): [string, string[]] => [
      path,
      importsOf(path, code).map(({ target }) => target),
    ])
    expect(cyclesIn(new Map(targets))).toEqual([])
  })

  it('have their test files at the same place in test, but for these', () => {
    const lacking = modules
      .filter(([path, code]) => code.split('\n').length - 1 > SMALL && !doesNothing(code) && !hasTests(path))
      .map(([path]) => path)
    expect(lacking).toEqual(UNMIRRORED)
  })
})

describe('the folders of src and test', () => {
  it(`hold ${MAX_FILES} files at most`, () => {
    const counts = new Map<string, number>()
    for (const path of globSync(['src/**/*.*', 'test/**/*.*'], { cwd: ROOT })) {
      counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1)
    }
    expect([...counts].filter(([, count]) => count > MAX_FILES)).toEqual([])
    expect(counts.size).toBeGreaterThan(30)
  })
})

describe('the tree in CONTRIBUTING.md', () => {
  it('is the real one', () => {
    const document = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8')
    const [, tree = ''] = /^## Layout$[^`]*(?:`[^`]+`[^`]*)*?^```\n(.*?)^```$/ms.exec(document) ?? []
    // Below the parts of a store, and below the folders of tests, nobody needs a line for each.
    const real = globSync(['*', 'src/*', 'src/{core,server,client}/*', 'test/*'], { cwd: ROOT })
      .filter((path) => !UNLISTED.includes(path) && globSync(`${path}/**/*.*`, { cwd: ROOT }).length > 0)
      .sort()
    expect(pathsOf(tree).sort()).toEqual(real)
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

function roomOf(path: string): number {
  return ROOMS.findIndex((room) =>
    room.endsWith('/') ? path.startsWith(`src/${room}`) : path === `src/${room}`,
  )
}

function isAllowed(path: string, { target, isTypeOnly }: Import): boolean {
  const [, side = '', name = ''] = path.split('/')
  // A type costs nobody a package: TypeScript's own, and what a declaration file names, are the exception of core.
  if (target === '@standard-schema/spec' && !isTypeOnly) return false
  // A store is one module, and may have a folder of its name.
  const isStore = side === 'stores' || side === 'buses'
  if (isStore && target.startsWith(`src/${side}/`)) {
    const own = name.replace('.ts', '')
    return (
      STORE_PARTS.test(target) || target === `src/${side}/bus.ts` || target.startsWith(`src/${side}/${own}/`)
    )
  }
  return target.startsWith(`src/${side}/`) || SIDES[side]?.some((pattern) => pattern.test(target)) === true
}

/** Whether a module does nothing: it is types, or constants. */
function doesNothing(code: string): boolean {
  return !/^(?:export )?(?:(?:async )?function|class) |^(?:export )?const .*=>/m.test(code)
}

/** The cases of the suite for stores are tests themselves. */
function hasTests(path: string): boolean {
  if (path.startsWith('src/testing/store-suite/')) return true
  return existsSync(join(ROOT, path.replace('src/', 'test/').replace('.ts', '.test.ts')))
}

/** Paths of the folders in a tree of lines that are indented by two spaces for each level. */
function pathsOf(tree: string): string[] {
  const above: string[] = []
  return [...tree.matchAll(/^( *)(\S+)\//gm)].map(([, indent = '', name = '']) => {
    above.splice(indent.length / 2, Infinity, name)
    return above.join('/')
  })
}
