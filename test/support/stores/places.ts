import { needs } from '../needs.ts'
import type { ProgramName } from '../programs.ts'
import { startMemcached } from '../servers/memcached.ts'
import { startMariadb } from '../servers/mysql.ts'
import { startPostgres } from '../servers/postgres.ts'
import { startRedis } from '../servers/redis.ts'
import { temporaryFolders } from './open-store.ts'

/** An empty folder, or a server, that several stores may share. */
export interface Place {
  /** Where it is, as `openStore` takes it. */
  readonly place: string
  /** Removes it. */
  remove(): Promise<void>
}

/** Makes places for one kind of store, as `openStore` names it. */
export interface PlaceMaker {
  readonly kind: string
  make(): Promise<Place>
}

/** All kinds of stores that can be shared; where a server is missing, a skipped test takes the place of those that need it. */
export function placeMakers(): PlaceMaker[] {
  return [
    ...['file', 'node:sqlite', 'better-sqlite3'].map((kind) => ({ kind, make: makeFolder })),
    ...onServer('pg', 'postgres', startPostgres, ({ url }) => `${url}#bins`),
    ...onServer('mysql2', 'mariadb', startMariadb, ({ url }) => `${url}#bins`),
    ...onServer('ioredis', 'redis', startRedis, ({ url }) => `${url}/#bins`),
    ...onServer('memcached', 'memcached', startMemcached, ({ address }) => `memcached://${address}/#bins`),
  ]
}

async function makeFolder(): Promise<Place> {
  const folders = temporaryFolders()
  return { place: folders.make(), remove: async () => folders.remove() }
}

function onServer<Server extends { stop(): Promise<void> }>(
  kind: string,
  program: ProgramName,
  start: (path: string) => Promise<Server>,
  placeOf: (server: Server) => string,
): PlaceMaker[] {
  const path = needs(program)
  if (!path) return []
  return [
    {
      kind,
      async make() {
        const server = await start(path)
        return { place: placeOf(server), remove: () => server.stop() }
      },
    },
  ]
}
