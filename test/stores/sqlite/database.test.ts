import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openDatabase, type SqliteSync } from '../../../src/stores/sqlite/database.ts'
import { temporaryFolders } from '../../support/stores/open-store.ts'

const folders = temporaryFolders()

afterAll(() => folders.remove())

describe('the database of a sqliteStore', () => {
  it('waits for other writers and is not in their way', () => {
    expect(pragmas('normal')).toMatchObject({ journal_mode: 'wal', timeout: 5_000 })
  })

  it('is synchronous as far as it is told', () => {
    expect(pragmas('normal')).toMatchObject({ synchronous: 1 })
    expect(pragmas('full')).toMatchObject({ synchronous: 2 })
  })

  it('reads what the operating system has in memory', () => {
    expect(pragmas('normal')).toMatchObject({ mmap_size: 2_147_418_112 })
  })

  it('reads on when another connection has made the file smaller', () => {
    const path = join(folders.make(), 'bins.db')
    const [database, other] = [openDatabase(path, 'normal'), openDatabase(path, 'normal')]
    database.exec('CREATE TABLE bread (id integer PRIMARY KEY, text text)')
    const insert = database.prepare('INSERT INTO bread VALUES (?, ?)')
    for (let id = 1; id <= 1_000; id += 1) insert.run(id, 'x'.repeat(5_000))
    const read = database.prepare('SELECT length(text) AS length FROM bread WHERE id = ?')
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    expect(read.get(1_000)).toEqual({ length: 5_000 })
    const size = statSync(path).size
    other.exec('DELETE FROM bread WHERE id < 1000; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)')
    expect(statSync(path).size).toBeLessThan(size / 100)
    expect([1, 500, 1_000].map((id) => read.get(id))).toEqual([undefined, undefined, { length: 5_000 }])
    other.close()
    database.close()
  })
})

function pragmas(sync: SqliteSync): object {
  const database = openDatabase(join(folders.make(), 'bins.db'), sync)
  const rows = ['journal_mode', 'busy_timeout', 'synchronous', 'mmap_size'].map((name) =>
    database.prepare(`PRAGMA ${name}`).get(),
  )
  database.close()
  return Object.assign({}, ...rows)
}
