import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { defineBins } from '../../src/core/definition.ts'
import { serveBins } from '../../src/server/server.ts'
import { openCookieJar, requestWith, take } from '../support/http.ts'
import { openStore, temporaryFolders } from '../support/open-store.ts'

const SCRIPT = fileURLToPath(new URL('../support/requests-process.ts', import.meta.url))

const folders = temporaryFolders()
afterAll(() => folders.remove())

describe.each(['file', 'node:sqlite', 'better-sqlite3'])('8 processes on one store of %s', (kind) => {
  it('count to 80', { timeout: 60_000 }, async () => {
    const folder = folders.make()
    const server = serveBins(defineBins({ visits: { default: 0 } }), { store: openStore(kind, folder) })
    const jar = openCookieJar(Date.now)
    const first = await server.open(requestWith(jar))
    first.set('visits', 0)
    take(jar, await first.save(new Headers()))
    const codes = await Promise.all(Array.from({ length: 8 }, () => runProcess(kind, folder, jar.header())))
    expect(codes).toEqual(codes.map(() => 0))
    expect((await server.open(requestWith(jar))).get('visits')).toBe(80)
    await server.close()
  })
})

async function runProcess(kind: string, folder: string, cookie: string): Promise<unknown> {
  const args = ['--disable-warning=ExperimentalWarning', SCRIPT, kind, folder, cookie, '10']
  const [code] = await once(
    spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }),
    'close',
  )
  return code
}
