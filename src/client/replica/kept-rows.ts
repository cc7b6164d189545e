import { type OnEvent, report } from '../../core/event.ts'
import type { Page } from '../page/page.ts'
import { type RowsPlace, withFallback } from '../table/fallback.ts'
import { deviceRows } from '../table/indexeddb.ts'
import { textRows } from '../table/local-storage.ts'
import { memoryRows } from '../table/memory.ts'
import type { Rows } from '../table/rows.ts'
import { bringBack } from './recovery.ts'
import { copyForPage, isReplicaKey, type ReplicaReading } from './replica-rows.ts'

/** This device's rows, wherever the browser keeps them. */
export interface KeptRows extends Rows {
  /** Where that is, and why not in IndexedDB. */
  readonly storage: { readonly kind: RowsPlace['kind']; readonly reason?: string }
  /** Whether they are where they belong: in IndexedDB, for all tabs. */
  isAtHome(): boolean
  /** Ids under which this page edits: what waits of other pages stays in IndexedDB, and is sent from there. */
  readonly ownPages: Set<string>
  /** Goes back to IndexedDB, if the rows are elsewhere and it works again. Tells whether they moved. */
  recover(): Promise<boolean>
}

/** Circumstances of {@link openKeptRows}. */
export interface KeptRowsOptions {
  /** The page. */
  readonly page: Page
  /** Name of the database, after that of the package. */
  readonly name: string
  /** What is needed to read rows of replicas. */
  readonly reading: ReplicaReading
  /** Receives what an owner may want to log. */
  readonly onEvent: OnEvent | undefined
  /** Told after each change of what is stored. */
  readonly onStored: () => void
  /** Told when the rows are kept elsewhere. */
  readonly onMoved?: () => void
}

/** How long IndexedDB may take for one transaction, in ms, before the page goes on without it. */
const DEADLINE_MS = 5_000

/** Opens this device's rows: in IndexedDB, in localStorage while that does not work, else in this page. */
export async function openKeptRows(options: KeptRowsOptions): Promise<KeptRows> {
  const { page, reading, onEvent, onStored, onMoved } = options
  const name = `breadbin-${options.name}`
  const database = page.rows ?? deviceRows({ name, deadlineMs: DEADLINE_MS })
  const first = telling(database, onStored)
  // Without a transaction tabs share neither op numbers nor ops: each has a replica, and so a client id, of its own.
  const texts = page.texts && telling(textRows(page.texts, name, isReplicaKey), onStored)
  const rows = withFallback(
    [
      { kind: 'indexeddb', rows: first },
      ...(texts ? [{ kind: 'localstorage', rows: texts } as const] : []),
      { kind: 'memory', rows: memoryRows() },
    ],
    {
      copy: (all) => copyForPage(all, { ownPages, newId: page.newId }),
      onChange(cause) {
        if (cause !== undefined) report(onEvent, { type: 'not-kept', bin: '', cause })
        onMoved?.()
      },
    },
  )
  const ownPages = new Set<string>()
  const isAtHome = () => rows.place.kind === 'indexeddb'
  await bringBackTexts()

  /** A page before this one may have left rows where it could. */
  async function bringBackTexts(): Promise<void> {
    const left = (await texts?.load('')) ?? new Map()
    if (left.size === 0) return
    await rows.load('')
    if (!isAtHome()) return
    await bringBack(rows, left, new Map(), reading)
    await texts?.change('', () => new Map([...left.keys()].map((key) => [key, undefined])))
  }

  return {
    ...rows,
    isAtHome,
    ownPages,
    get storage() {
      const { kind, cause } = rows.place
      return kind === 'indexeddb' ? { kind } : { kind, reason: reasonOf(cause) }
    },
    async recover() {
      if (isAtHome()) return false
      await rows.recover((to, kept, before) => bringBack(to, kept, before, reading))
      return isAtHome()
    },
  }
}

/** Tells of each change; tabs that told each other of nothing would never come to rest. */
function telling(rows: Rows, onStored: () => void): Rows {
  return {
    ...rows,
    async change(prefix, step) {
      let isChanged = false
      const present = await rows.change(prefix, (all) => {
        const changes = step(all)
        isChanged = changes.size > 0
        return changes
      })
      if (isChanged) onStored()
      return present
    },
  }
}

function reasonOf(failure: unknown): string {
  return failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure)
}
