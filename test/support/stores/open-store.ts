import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { fileStore } from '../../../src/stores/file.ts'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import type { Store } from '../../../src/stores/store.ts'
import { openServerStore } from './server-stores.ts'

/** The present in the tests of stores. */
export const NOW = Date.UTC(2035, 0, 1)

/** When the entries of these tests expire. */
export const LATER = Date.UTC(2036, 0, 1)

/** Opens a store that several processes can share, in a folder or on a server that may already hold it. */
export function openStore(kind: string, folder: string): Store {
  if (kind === 'file') return fileStore(join(folder, 'files'))
  if (kind === 'node:sqlite') return sqliteStore(join(folder, 'bins.db'))
  if (kind === 'better-sqlite3') return sqliteStore(new Database(join(folder, 'bins.db'), { timeout: 5_000 }))
  const store = openServerStore(kind, folder)
  if (store) return store
  throw new TypeError(`no store is called ${kind}`)
}

/** Creates a database as our documentation tells users to; the WAL mode stays in the file. */
export function createBetterSqlite(path: string): Database.Database {
  const database = new Database(path, { timeout: 5_000 })
  database.pragma('journal_mode = WAL')
  return database
}

/**
 * Makes temporary folders, and removes them all.
 *
 * @param parent Folder that they are made in. Default: that of the operating system.
 */
export function temporaryFolders(parent = tmpdir()): { make(): string; remove(): void } {
  const folders: string[] = []
  return {
    make() {
      const folder = mkdtempSync(join(parent, 'breadbin-'))
      folders.push(folder)
      return folder
    },
    remove() {
      for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
    },
  }
}
