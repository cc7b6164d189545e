import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs } from '../support/needs.ts'
import { installPackage, moduleNames } from '../support/package/package.ts'
import { typeErrors } from '../support/package/type-errors.ts'
import { type Ending, run } from '../support/run.ts'
import { temporaryFolders } from '../support/stores/open-store.ts'

const folders = temporaryFolders()
const node20 = needs('node 20')
let folder: string

beforeAll(() => {
  folder = folders.make()
  installPackage(folder, ['@types/node'])
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
})

afterAll(() => folders.remove())

if (node20) {
  describe('the installed package in Node 20', () => {
    const runProgram = (program: string): Ending =>
      run(node20, ['--input-type=module', '-e', program], { cwd: folder })

    it.each(moduleNames())('loads %s', (name) => {
      expect(runProgram(`await import('${name}')`)).toEqual({ output: '', errors: '', code: 0 })
    })

    it('keeps bins', () => {
      const { output, errors } = runProgram(`
        import { defineBins } from 'breadbin'
        import { serveBins } from 'breadbin/server'
        import { fileStore } from 'breadbin/stores/file'
        const bins = defineBins({ theme: { storage: 'cookie' }, cart: {} })
        const server = serveBins(bins, { store: fileStore('bins') })
        const first = await server.open(new Request('http://localhost'))
        first.set('theme', 'dark')
        first.set('cart', ['bread'])
        const cookies = (await first.save(new Response())).headers.getSetCookie()
        const cookie = cookies.map((line) => line.split(';')[0]).join('; ')
        const second = await server.open(new Request('http://localhost', { headers: { cookie } }))
        console.log(second.get('theme'), second.get('cart'))`)
      expect(errors).toBe('')
      expect(output).toBe("dark [ 'bread' ]\n")
    })

    it('says what to do about a SQLite that is not there, when one is opened', () => {
      const { output, errors } = runProgram(`
        import { sqliteStore } from 'breadbin/stores/sqlite'
        try {
          sqliteStore('bins.db')
        } catch (error) {
          console.log(String(error))
        }`)
      expect(errors).toBe('')
      expect(output).toMatch(/^TypeError: Node 2[01].* has no node:sqlite.* better-sqlite3 .*fileStore/)
    })
  })
}

describe('the types of the installed package', () => {
  const errorsOf = (name: string, entries: readonly string[], compilerOptions: object) => {
    const lines = entries.map((entry, index) => `export * as entry${index} from '${entry}'\n`)
    writeFileSync(join(folder, `${name}.ts`), lines.join(''))
    const options = { target: 'ES2022', strict: true, noEmit: true, skipLibCheck: false, ...compilerOptions }
    writeFileSync(
      join(folder, `${name}.json`),
      JSON.stringify({ compilerOptions: options, files: [`${name}.ts`] }),
    )
    return typeErrors(join(folder, `${name}.json`))
  }

  it('suit a project in Node', () => {
    const options = { module: 'nodenext', lib: ['ES2023'], types: ['node'] }
    const entries = moduleNames().filter((name) => name !== 'breadbin/client')
    expect(errorsOf('node', entries, options)).toEqual([])
  })

  it('suit a bundled project for browsers, without types of Node', () => {
    const options = { module: 'esnext', moduleResolution: 'bundler', lib: ['ES2022', 'DOM'], types: [] }
    expect(errorsOf('browser', ['breadbin', 'breadbin/client'], options)).toEqual([])
  })

  it('suit the strictest project', () => {
    const options = {
      module: 'nodenext',
      lib: ['ES2023', 'DOM'],
      types: ['node'],
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      verbatimModuleSyntax: true,
      isolatedModules: true,
    }
    expect(errorsOf('strictest', moduleNames(), options)).toEqual([])
  })
})
