import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, it } from 'vitest'
import { writeTable } from '../../src/stores/sqlite/statements.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'
import { documentedSql } from '../support/package/documented-sql.ts'
import { fullDiskSuite } from '../support/stores/full-disk-suite.ts'
import { createBetterSqlite, LATER, NOW, temporaryFolders } from '../support/stores/open-store.ts'
import { mountSmallDisk } from '../support/stores/small-disk.ts'
import { processSuite, runProcesses } from '../support/stores/store-processes.ts'

const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
const folders = temporaryFolders()
const disk = mountSmallDisk()
const makePath = () => join(folders.make(), 'bins.db')
const entry = { version: 1, text: 'text', expires: LATER }

afterAll(() => {
  folders.remove()
  disk?.remove()
})

describe('sqliteStore of a path', () => {
  storeSuite(it, { open: () => sqliteStore(makePath()) })
  processSuite(it, 'node:sqlite', folders.make, { kills: 100 })
  if (disk) fullDiskSuite(it, disk, () => sqliteStore(join(disk.path, 'bins.db')))

  it('lets processes create one file at once, 200 times', { timeout: 60_000 }, async () => {
    await runProcesses('node:sqlite', folders.make(), { task: 'create', key: 'key', times: 200 }, 8)
  })

  it('is durable, unless it is in memory', async () => {
    expect(sqliteStore(makePath()).durable).toBe(true)
    expect(sqliteStore(':memory:').durable).toBe(false)
  })

  it('lets nobody else read its files', async () => {
    const path = makePath()
    const store = sqliteStore(path)
    await store.write('key', entry, 0, NOW)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(modeOf(file)).toBe('600')
    await store.close?.()
  })

  it('finds what an earlier store has written', async () => {
    const path = makePath()
    const first = sqliteStore(path)
    await first.write('key', entry, 0, NOW)
    await first.close?.()
    const second = sqliteStore(path, { sync: 'full' })
    expect(await second.read('key', { now: NOW })).toEqual(entry)
    await second.close?.()
  })

  it('says what to do where this Node has no SQLite', () => {
    const { getBuiltinModule } = process
    process.getBuiltinModule = (() => undefined) as typeof getBuiltinModule
    try {
      expect(() => sqliteStore(makePath())).toThrow(/22\.13.*better-sqlite3.*fileStore/)
      expect(() => sqliteStore(makePath())).toThrow(TypeError)
    } finally {
      process.getBuiltinModule = getBuiltinModule
    }
  })
})

const SHARED_MEMORY = '/dev/shm'

if (existsSync(SHARED_MEMORY)) {
  const shared = temporaryFolders(SHARED_MEMORY)

  describe('sqliteStore of a path in shared memory', () => {
    afterAll(shared.remove)
    storeSuite(it, { open: () => sqliteStore(join(shared.make(), 'bins.db')) })
    processSuite(it, 'node:sqlite', shared.make)
  })
} else {
  it.skip('needs /dev/shm: run the tests on Linux')
}

describe('sqliteStore of a better-sqlite3 database', () => {
  storeSuite(it, { open: () => sqliteStore(new Database(':memory:')) })
  processSuite(it, 'better-sqlite3', makeBetterSqlite, { kills: 100 })
})

describe('sqliteStore of a better-sqlite3 database with safe integers', () => {
  storeSuite(it, { open: () => sqliteStore(new Database(':memory:').defaultSafeIntegers()) })
})

describe('sqliteStore of a database that was handed in', () => {
  it('leaves it open', async () => {
    const database = createBetterSqlite(makePath())
    await sqliteStore(database).close?.()
    expect(database.open).toBe(true)
    database.close()
  })

  it('keeps tables apart', async () => {
    const database = new DatabaseSync(':memory:')
    const one = sqliteStore(database)
    const other = sqliteStore(database, { table: 'Select' })
    await one.write('key', entry, 0, NOW)
    expect(await other.read('key', { now: NOW })).toBeUndefined()
    await other.write('key', { ...entry, text: 'other' }, 0, NOW)
    expect(await one.read('key', { now: NOW })).toEqual(entry)
  })

  it('writes a table that SQL users can read', async () => {
    const database = new DatabaseSync(':memory:')
    const store = sqliteStore(database)
    await store.write('a', { version: 7, text: '{"a":1}', expires: LATER }, 0, NOW)
    await store.write('b', { version: 8, text: '', expires: Infinity }, 0, NOW)
    const rows = database.prepare('SELECT *, typeof(version) AS type FROM breadbin ORDER BY key').all()
    expect(rows.map((row) => ({ ...row }))).toEqual([
      { key: 'a', version: 7, expires: LATER, text: '{"a":1}', type: 'integer' },
      { key: 'b', version: 8, expires: Number.MAX_SAFE_INTEGER, text: '', type: 'integer' },
    ])
  })

  it('has a table that is created and queried by the SQL in the documents', async () => {
    const database = new DatabaseSync(':memory:')
    const [create, select] = documentedSql('SQLite')
    expect(create).toBe(writeTable('breadbin'))
    database.exec(String(create))
    const text = '{"bins":{"cart":{"data":{"json":["bread"]}}}}'
    await sqliteStore(database).write('key', { version: 1, text, expires: LATER }, 0, NOW)
    const row = database.prepare(String(select)).get()
    expect(Object.values(row ?? {})).toEqual(['key', '["bread"]'])
  })

  it('reads a table that it may not write', async () => {
    const path = makePath()
    const database = createBetterSqlite(path)
    await sqliteStore(database).write('key', entry, 0, NOW)
    const reader = new Database(path, { readonly: true })
    const store = sqliteStore(reader)
    expect(await store.read('key', { now: NOW })).toEqual(entry)
    const readOnly = { code: 'SQLITE_READONLY' }
    await expect(store.write('key', { ...entry, version: 2 }, 1, NOW)).rejects.toMatchObject(readOnly)
    await expect(store.write('other', entry, 0, NOW)).rejects.toMatchObject(readOnly)
    reader.close()
    database.close()
  })

  it('completes a table without its index', () => {
    const database = new DatabaseSync(':memory:')
    sqliteStore(database)
    database.exec('DROP INDEX breadbin_expires')
    sqliteStore(database)
    expect(
      database.prepare("SELECT 1 AS one FROM sqlite_schema WHERE name = 'breadbin_expires'").get(),
    ).toEqual({
      one: 1,
    })
  })

  it('refuses a table of a newer Breadbin', () => {
    const database = new DatabaseSync(':memory:')
    sqliteStore(database)
    const table = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'breadbin'").get()
    const newer = String(table?.sql).replace('breadbin 1', 'breadbin 2').replace('"breadbin"', '"newer"')
    database.exec(newer)
    expect(() => sqliteStore(database, { table: 'newer' })).toThrow(/newer Breadbin/)
  })

  it('refuses a table name that is not a plain one', () => {
    const database = new DatabaseSync(':memory:')
    for (const table of ['', 'a b', 'a"b', 'a;', '1a', 'a\n', 'é', 'x'.repeat(64)]) {
      expect(() => sqliteStore(database, { table })).toThrow(TypeError)
    }
  })

  it('refuses a database in UTF-16, in which SQLite changes some characters', () => {
    const database = new DatabaseSync(':memory:')
    database.exec("PRAGMA encoding = 'UTF-16'")
    expect(() => sqliteStore(database)).toThrow(TypeError)
  })

  it('refuses to change how it syncs', () => {
    expect(() => sqliteStore(new DatabaseSync(':memory:'), { sync: 'full' })).toThrow(TypeError)
  })
})

function makeBetterSqlite(): string {
  const folder = folders.make()
  createBetterSqlite(join(folder, 'bins.db')).close()
  return folder
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8)
}
