import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { moduleNames, packPackage } from '../support/package/package.ts'
import { ROOT, run } from '../support/run.ts'
import { temporaryFolders } from '../support/stores/open-store.ts'

const folders = temporaryFolders()
let tarball: string

beforeAll(() => {
  tarball = packPackage(folders.make())
})

afterAll(() => folders.remove())

describe('the packed package', () => {
  it('holds the build, the documents and nothing else', () => {
    const { output } = run('tar', ['-tf', tarball])
    const paths = output.split('\n').filter((path) => path !== '')
    expect(
      paths.filter((path) => !/^package\/(?:dist|docs)\/.+\.(?:m?js|map|d\.ts|md)$/.test(path)).sort(),
    ).toEqual(['package/CHANGELOG.md', 'package/LICENSE', 'package/README.md', 'package/package.json'])
  })

  it('gives publint nothing to say', async () => {
    const { messages, pkg } = await publint({
      pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer },
    })
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
  })

  it('gives arethetypeswrong nothing to say', () => {
    const program = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    // It finds no entries behind a star by itself.
    const names = moduleNames().map((name) => name.replace(/^breadbin/, '.'))
    const options = ['--profile', 'esm-only', '--format', 'ascii', '--no-emoji', '--entrypoints', ...names]
    const { code, output, errors } = run(process.execPath, [program, tarball, ...options])
    expect(code, output + errors).toBe(0)
    for (const name of moduleNames()) expect(output).toContain(`"${name}"\n\nnode16 (from ESM): OK (ESM)`)
  })
})
