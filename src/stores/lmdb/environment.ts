import { mkdirSync, realpathSync } from 'node:fs'
import { type LmdbDatabase, type LmdbEnvironment, openLmdb } from './client.ts'
import { type Gate, openGate } from './gate.ts'

/** An environment in a directory, which processes share. */
export interface Environment {
  /** Opens a database, and makes it if it is missing. */
  openDB(name: string): LmdbDatabase
  /** Runs changes; when that is resolved, they are on the disk. What comes at one moment is committed together. */
  commit<Result>(change: () => Result): Promise<Result>
  /** Lets reads see what was committed last: they see one state for the rest of a turn of the event loop. */
  refresh(): void
  /** Takes the places of readers back that were killed: they would keep the file from using its free pages. */
  dismissReaders(): void
  /** To be called by each who has opened it. */
  close(): Promise<void>
}

interface Shared {
  readonly environment: Environment
  users: number
}

/** Those of this process, by their directory: LMDB gives up its locks where a process opens one twice. */
const opened = new Map<string, Shared>()

/**
 * Opens the environment in a directory, for this user alone.
 *
 * @throws TypeError if `lmdb` is not installed. Error if the last store of the directory is being closed.
 */
export function openEnvironment(directory: string): Environment {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = realpathSync(directory)
  const found = opened.get(path)
  if (found?.users === 0)
    throw new Error('lmdbStore: another store of this directory is being closed; wait for that first.')
  const shared = found ?? { environment: create(path), users: 0 }
  opened.set(path, shared)
  shared.users += 1
  return {
    ...shared.environment,
    async close() {
      shared.users -= 1
      if (shared.users > 0) return
      await shared.environment.close()
      opened.delete(path)
    },
  }
}

function create(path: string): Environment {
  const gate = openGate(path)
  const lmdb = open(path, gate)
  return {
    openDB: (name) => gate.enterSync(() => lmdb.openDB({ name, encoding: 'string', keyEncoding: 'binary' })),
    commit: openCommits(gate, lmdb),
    refresh: () => lmdb.resetReadTxn(),
    dismissReaders: () => void lmdb.readerCheck(),
    async close() {
      await gate.enter(() => void lmdb.close())
      await gate.close()
    },
  }
}

/** Leaves nothing open if it fails: the next attempt would open the gate twice. */
function open(path: string, gate: Gate): LmdbEnvironment {
  try {
    return gate.enterSync(() => openLmdb(path, false))
  } catch (error) {
    gate.close()
    throw error
  }
}

/** Changes that are committed together, in the order in which they came. */
interface Batch {
  readonly changes: Array<() => unknown>
  readonly results: Promise<unknown[]>
}

/** Gathers changes until the gate opens. */
function openCommits(gate: Gate, lmdb: LmdbEnvironment): Environment['commit'] {
  let batch: Batch | undefined

  function openBatch(): Batch {
    const changes: Batch['changes'] = []
    const close = () => {
      if (batch?.changes === changes) batch = undefined
    }
    const results = gate.enter(() => {
      close()
      return lmdb.transactionSync(() => changes.map((change) => change()))
    })
    return { changes, results: results.finally(close) }
  }

  return async <Result>(change: () => Result) => {
    batch ??= openBatch()
    const { changes, results } = batch
    const index = changes.push(change) - 1
    // It is in the place of its change.
    return (await results)[index] as Result
  }
}
