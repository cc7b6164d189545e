import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { entries, moduleNames } from '../support/package/package.ts'
import { ROOT, run } from '../support/run.ts'

describe('the entries of the package', () => {
  it.each(entries())('lead from $name to files', ({ file, types }) => {
    const missing = [file, types].filter((path) => path !== undefined && !existsSync(join(ROOT, path)))
    expect(missing).toEqual([])
  })

  it('export these names and no others', () => {
    // In Node itself, by the package's own name: as users import them.
    const program = `
      const names = async (entry) => [entry, Object.keys(await import(entry)).sort()]
      console.log(JSON.stringify(Object.fromEntries(await Promise.all(process.argv.slice(1).map(names)))))`
    const { output, errors } = run(process.execPath, ['--input-type=module', '-e', program, ...moduleNames()])
    expect(errors).toBe('')
    expect(JSON.parse(output)).toMatchInlineSnapshot(`
      {
        "breadbin": [
          "BinsError",
          "defineBins",
        ],
        "breadbin/buses/memory": [
          "memoryBus",
        ],
        "breadbin/buses/postgres": [
          "postgresBus",
        ],
        "breadbin/buses/redis": [
          "redisBus",
        ],
        "breadbin/client": [
          "openBins",
          "takeLink",
        ],
        "breadbin/header": [
          "headerTransport",
        ],
        "breadbin/migrate": [
          "migrate",
          "movingStore",
        ],
        "breadbin/server": [
          "generateSecret",
          "serveBins",
          "toNodeHandler",
        ],
        "breadbin/stores/file": [
          "fileStore",
        ],
        "breadbin/stores/layered": [
          "layeredStore",
        ],
        "breadbin/stores/memcached": [
          "memcachedStore",
        ],
        "breadbin/stores/memory": [
          "memoryStore",
        ],
        "breadbin/stores/mysql": [
          "mysqlStore",
        ],
        "breadbin/stores/postgres": [
          "postgresStore",
        ],
        "breadbin/stores/redis": [
          "redisStore",
        ],
        "breadbin/stores/sqlite": [
          "sqliteStore",
        ],
        "breadbin/testing": [
          "faultyStore",
          "storeSuite",
        ],
      }
    `)
  })
})

describe('the files for script tags', () => {
  const files = entries().filter(({ file }) => file.endsWith('.min.js'))

  it.each(files)('make $name one global with these names', ({ file }) => {
    const script = readFileSync(join(ROOT, file), 'utf8')
    // All that it asks of a page while it loads.
    const page = { TextDecoder, TextEncoder, URL, URLSearchParams }
    const before = Object.keys(page)
    runInNewContext(script, page)
    expect(Object.keys(page)).toEqual([...before, 'breadbin'])
    expect(runInNewContext('Object.keys(breadbin).sort()', page)).toEqual([
      'BinsError',
      'defineBins',
      ...(file.includes('header') ? ['headerTransport'] : []),
      'openBins',
      // Of no use where nothing is on the server.
      ...(file.includes('cookie') ? [] : ['takeLink']),
    ])
  })
})
