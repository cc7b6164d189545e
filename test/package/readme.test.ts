import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tryDocument } from '../support/package/documents.ts'
import { installPackage, PACKAGE } from '../support/package/package.ts'
import { ROOT } from '../support/run.ts'
import { temporaryFolders } from '../support/stores/open-store.ts'

const documents = ['README.md', ...globSync('docs/*.md', { cwd: ROOT }).sort()]
const folders = temporaryFolders()
let folder: string

beforeAll(() => {
  folder = folders.make()
  installPackage(folder, Object.keys(PACKAGE.devDependencies))
})

afterAll(() => folders.remove())

describe('the code in the documents', () => {
  it.each(documents)('of %s works', (path) => {
    const markdown = readFileSync(join(ROOT, path), 'utf8')
    expect(tryDocument(markdown, join(folder, path.replaceAll('/', '-')))).toEqual([])
  })
})

describe('docs/errors.md', () => {
  it('tells what to do about each code, and about no other', () => {
    const codes = (path: string, code: RegExp) =>
      [...readFileSync(join(ROOT, path), 'utf8').matchAll(code)].map(([, name]) => name)
    const documented = codes('docs/errors.md', /^\| `([A-Z_]+)` \| .+ \| .+ \|$/gm)
    expect(documented).toEqual(codes('src/core/error.ts', /^ {2}\| '([A-Z_]+)'/gm))
    expect(documented).toContain('INVALID_DATA')
  })
})

describe('tryDocument', () => {
  const problemsOf = (name: string, ...lines: string[]) => {
    const problems = tryDocument(lines.join('\n'), join(folder, name))
    return problems.map(({ line, message }) => `${line}: ${message.replaceAll(folder, '').split('\n')[0]}`)
  }

  it('finds the lines that do not compile', () => {
    const problems = problemsOf(
      'compiles',
      'Text',
      '```ts',
      '// bins.ts: shared',
      "import { defineBins } from 'breadbin'",
      "export const bins = defineBins({ theme: { default: 'light' }, size: { maxage: 1 } })",
      '```',
      '- A list',
      '  ```ts',
      "  import { bins } from './bins.ts'",
      '  const names: number = bins.path',
      '  ```',
      '',
      '```js',
      'const double = (value) => value * 2',
      "document.title = double('1').length",
      '```',
      '```html',
      '<!doctype html>',
      '<script src="/breadbin.min.js"></script>',
      '<script type="module">',
      '  const bins = breadbin.defineBins({})',
      '  breadbin.serveBins(bins)',
      '</script>',
      '```',
    )
    expect(problems).toMatchInlineSnapshot(`
      [
        "5: error TS2561: Object literal may only specify known properties, but 'maxage' does not exist in type 'BinOptions<unknown> & { default?: unknown; }'. Did you mean to write 'maxAge'?",
        "10: error TS2322: Type 'string' is not assignable to type 'number'.",
        "15: error TS2339: Property 'length' does not exist on type 'number'.",
        "22: error TS2339: Property 'serveBins' does not exist on type 'typeof import("/node_modules/breadbin/dist/types/script")'.",
      ]
    `)
  })

  it('puts blocks of one name together', () => {
    const problems = problemsOf(
      'together',
      '```ts run',
      '// one.ts',
      'const count = 1',
      '```',
      '```ts',
      '// one.ts, further down',
      'export const twice: string = count * 2',
      '```',
    )
    expect(problems).toMatchInlineSnapshot(`
      [
        "7: error TS2322: Type 'number' is not assignable to type 'string'.",
      ]
    `)
  })

  it('finds programs that fail', () => {
    const problems = problemsOf(
      'runs',
      '```ts run',
      "if ('a'.length) throw new Error('so it is')",
      '```',
      '```ts run',
      'export {}',
      '```',
    )
    expect(problems).toMatchInlineSnapshot(`
      [
        "2: exits with 1:",
      ]
    `)
  })

  it('finds commands and files that do not exist', () => {
    const problems = problemsOf(
      'exists',
      '```sh',
      'npm cit # everything',
      'npm start',
      'npm run nothing',
      'node examples/nothing.mjs',
      'npm install breadbin',
      '```',
      '```html',
      '<script src="/breadbin.max.js"></script>',
      '```',
    )
    expect(problems).toMatchInlineSnapshot(`
      [
        "4: no npm script nothing",
        "5: no file examples/nothing.mjs",
        "9: no file dist/breadbin.max.js",
      ]
    `)
  })
})
