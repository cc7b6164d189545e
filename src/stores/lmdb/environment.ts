import { mkdirSync, realpathSync } from 'node:fs'
import { type LmdbDatabase, openLmdb } from './client.ts'
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
 * @throws TypeError if `lmdb` is not installed.
 */
export function openEnvironment(directory: string): Environment {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = realpathSync(directory)
  const shared = opened.get(path) ?? { environment: create(path), users: 0 }
  opened.set(path, shared)
  shared.users += 1
  return {
    ...shared.environment,
    async close() {
      shared.users -= 1
      if (shared.users > 0) return
      opened.delete(path)
      await shared.environment.close()
    },
  }
}

function create(path: string): Environment {
  const gate = openGate(path)
  const lmdb = gate.enterSync(() => openLmdb(path, false))
  const commits = openCommits(gate, (run) => lmdb.transactionSync(run))
  return {
    openDB: (name) => gate.enterSync(() => lmdb.openDB({ name, encoding: 'string', keyEncoding: 'binary' })),
    commit: commits,
    refresh: () => lmdb.resetReadTxn(),
    dismissReaders: () => void lmdb.readerCheck(),
    async close() {
      await gate.enter(() => void lmdb.close())
      await gate.close()
    },
  }
}

/** Changes that are committed together, in the order in which they came. */
interface Batch {
  readonly changes: Array<() => unknown>
  readonly results: Promise<unknown[]>
}

/** Gathers changes until the gate opens. */
function openCommits(gate: Gate, transact: <Result>(run: () => Result) => Result): Environment['commit'] {
  let open: Batch | undefined

  function openBatch(): Batch {
    const changes: Batch['changes'] = []
    const close = () => {
      if (open?.changes === changes) open = undefined
    }
    const results = gate.enter(() => {
      close()
      return transact(() => changes.map((change) => change()))
    })
    return { changes, results: results.finally(close) }
  }

  return async <Result>(change: () => Result) => {
    open ??= openBatch()
    const { changes, results } = open
    const index = changes.push(change) - 1
    // It is in the place of its change.
    return (await results)[index] as Result
  }
}
