import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ROOT, run } from '../run.ts'
import { type CodeBlock, codeBlocks } from './code-blocks.ts'
import { PACKAGE } from './package.ts'
import { typeErrors } from './type-errors.ts'

/** Something in a document that does not work. */
export interface Problem {
  /** Number of the line in the document. */
  readonly line: number
  /** What does not work. */
  readonly message: string
}

const OPTIONS = {
  target: 'ES2023',
  module: 'nodenext',
  moduleDetection: 'force',
  jsx: 'react-jsx',
  lib: ['ES2023', 'DOM', 'DOM.Iterable'],
  types: ['node'],
  strict: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  allowJs: true,
}

/**
 * Tries the code of a document: compiles its ts, tsx, js and jsx blocks and the scripts in html blocks, runs those
 * tagged `run`, and looks up what sh blocks call. A block whose first line is a comment with a file name becomes that
 * file, for others to import; several of one name become one file.
 *
 * @param folder New folder to put the files in; above it there is a node_modules with the package.
 */
export function tryDocument(markdown: string, folder: string): Problem[] {
  const blocks = writeDocument(markdown, folder)
  writeFileSync(
    join(folder, 'script.d.ts'),
    "declare global { const breadbin: typeof import('../node_modules/breadbin/dist/types/script.js') }\nexport {}\n",
  )
  return [
    ...compile(folder, ['**/*.ts', '**/*.tsx'], { exclude: ['script.d.ts'] }),
    // Scripts have no types of parameters, and a global instead of the import.
    ...compile(folder, ['**/*.js', '**/*.jsx', 'script.d.ts'], { checkJs: true, noImplicitAny: false }),
    ...blocks.filter(({ tags }) => tags.includes('run')).flatMap((block) => execute(block, folder)),
    ...blocks.flatMap((block) => (block.language === 'sh' ? lookUpCommands(block) : [])),
    ...blocks.flatMap((block) => (block.language === 'html' ? lookUpFiles(block) : [])),
  ]
}

/**
 * Writes the code of a document into files, as {@link tryDocument} describes them.
 *
 * @returns The blocks, of all languages.
 */
export function writeDocument(markdown: string, folder: string): CodeBlock[] {
  const blocks = codeBlocks(markdown)
  mkdirSync(folder)
  const scripts = blocks.flatMap((block) => (block.language === 'html' ? scriptsOf(block) : []))
  for (const block of [...blocks, ...scripts]) write(block, folder)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  return blocks
}

function scriptsOf({ code, line }: CodeBlock): CodeBlock[] {
  return [...code.matchAll(/<script(?![^>]*\bsrc=)[^>]*>(.*?)<\/script>/gs)].map((match) => ({
    language: 'js',
    tags: [],
    line: line + code.slice(0, match.index).split('\n').length - 1,
    code: `${match[1]}\n`,
    file: undefined,
  }))
}

function pathOf(block: CodeBlock): string {
  return block.file ?? `line-${block.line}.${block.language}`
}

/** Writes a block at the lines it has in the document, so that compiler and Node name these. */
function write(block: CodeBlock, folder: string): void {
  if (!/^[tj]sx?$/.test(block.language)) return
  const path = join(folder, pathOf(block))
  const before = existsSync(path) ? readFileSync(path, 'utf8') : ''
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, before + '\n'.repeat(block.line - before.split('\n').length) + block.code)
}

/** What the compiler says about a tsconfig without a single file. */
const NO_FILES = 'TS18003'

function compile(
  folder: string,
  include: readonly string[],
  { exclude = [], ...options }: { exclude?: string[]; checkJs?: boolean; noImplicitAny?: boolean },
): Problem[] {
  const path = join(folder, options.checkJs ? 'tsconfig.js.json' : 'tsconfig.json')
  writeFileSync(path, JSON.stringify({ compilerOptions: { ...OPTIONS, ...options }, include, exclude }))
  return typeErrors(path).filter(({ message }) => !message.includes(NO_FILES))
}

function execute(block: CodeBlock, folder: string): Problem[] {
  const { code, output, errors } = run(process.execPath, [pathOf(block)], { cwd: folder })
  return code === 0 ? [] : [{ line: block.line, message: `exits with ${code}:\n${output}${errors}` }]
}

function lookUpCommands({ code, line }: CodeBlock): Problem[] {
  return code.split('\n').flatMap((command, index) => {
    const script = /^npm (?:run ([\w:-]+)|(start|test)\b|(?=cit\b))/.exec(command)
    const path = /^node ([\w./-]+)/.exec(command)?.[1]
    const name = script && (script[1] ?? script[2] ?? 'test')
    if (name && !(name in PACKAGE.scripts)) return [{ line: line + index, message: `no npm script ${name}` }]
    if (path && !existsSync(join(ROOT, path))) return [{ line: line + index, message: `no file ${path}` }]
    return []
  })
}

function lookUpFiles({ code, line }: CodeBlock): Problem[] {
  const sources = [...code.matchAll(/\bsrc="([^"]*breadbin[^"]*)"/g)].map(([, source = '']) =>
    basename(source),
  )
  const missing = sources.filter((file) => !existsSync(join(ROOT, 'dist', file)))
  return missing.map((file) => ({ line, message: `no file dist/${file}` }))
}
