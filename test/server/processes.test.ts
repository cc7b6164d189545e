import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineBins } from '../../src/core/definition.ts'
import { serveBins } from '../../src/server/server.ts'
import { openCookieJar, requestWith, take } from '../support/http.ts'
import { needs } from '../support/needs.ts'
import { openStore, temporaryFolders } from '../support/open-store.ts'
import { startMemcached } from '../support/servers/memcached.ts'
import { startMariadb } from '../support/servers/mysql.ts'
import { startPostgres } from '../support/servers/postgres.ts'
import { startRedis } from '../support/servers/redis.ts'

const SCRIPT = fileURLToPath(new URL('../support/requests-process.ts', import.meta.url))

const folders = temporaryFolders()
afterAll(() => folders.remove())

/** A server that the processes share. */
interface Shared {
  /** Where it is, as `openStore` takes it. */
  readonly place: string
  stop(): Promise<void>
}

/** Each kind of store that needs a server, and how to start it. */
const SERVERS: Record<
  string,
  { program: Parameters<typeof needs>[0]; start(path: string): Promise<Shared> }
> = {
  pg: {
    program: 'postgres',
    async start(path) {
      const { url, stop } = await startPostgres(path)
      return { place: `${url}#bins`, stop }
    },
  },
  mysql2: {
    program: 'mariadb',
    async start(path) {
      const { url, stop } = await startMariadb(path)
      return { place: `${url}#bins`, stop }
    },
  },
  ioredis: {
    program: 'redis',
    async start(path) {
      const { url, stop } = await startRedis(path)
      return { place: `${url}/#bins`, stop }
    },
  },
  memcached: {
    program: 'memcached',
    async start(path) {
      const { address, stop } = await startMemcached(path)
      return { place: `memcached://${address}/#bins`, stop }
    },
  },
}

describe.each(['file', 'node:sqlite', 'better-sqlite3', 'lmdb'])('8 processes on one store of %s', (kind) => {
  it('count to 80', { timeout: 60_000 }, () => countTogether(kind, folders.make()))
})

for (const [kind, { program, start }] of Object.entries(SERVERS)) {
  const path = needs(program)
  if (!path) continue
  describe(`8 processes on one store of ${kind}`, () => {
    let shared: Shared
    beforeAll(async () => {
      shared = await start(path)
    })
    afterAll(() => shared.stop())

    it('count to 80', { timeout: 60_000 }, () => countTogether(kind, shared.place))
  })
}

async function countTogether(kind: string, place: string): Promise<void> {
  const server = serveBins(defineBins({ visits: { default: 0 } }), { store: openStore(kind, place) })
  const jar = openCookieJar(Date.now)
  const first = await server.open(requestWith(jar))
  first.set('visits', 0)
  take(jar, await first.save(new Headers()))
  const codes = await Promise.all(Array.from({ length: 8 }, () => runProcess(kind, place, jar.header())))
  expect(codes).toEqual(codes.map(() => 0))
  expect((await server.open(requestWith(jar))).get('visits')).toBe(80)
  await server.close()
}

async function runProcess(kind: string, place: string, cookie: string): Promise<unknown> {
  const args = ['--disable-warning=ExperimentalWarning', SCRIPT, kind, place, cookie, '10']
  const [code] = await once(
    spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }),
    'close',
  )
  return code
}
