import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openDatabase, type SqliteSync } from '../../../src/stores/sqlite/database.ts'
import { temporaryFolders } from '../../support/open-store.ts'

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
})

function pragmas(sync: SqliteSync): object {
  const database = openDatabase(join(folders.make(), 'bins.db'), sync)
  const rows = ['journal_mode', 'busy_timeout', 'synchronous'].map((name) =>
    database.prepare(`PRAGMA ${name}`).get(),
  )
  database.close()
  return Object.assign({}, ...rows)
}
