/**
 * One process on a shared store: `node store-process.ts <kind> <folder> <task> <key> <times>`.
 * Run by `store-processes.ts`.
 */
import { mkdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { HistoryEvent } from '../../../src/testing/store-suite/history.ts'
import { LATER, NOW, openStore } from './open-store.ts'

const [kind = '', folder = '', task = '', key = '', times = ''] = process.argv.slice(2)
const store = openStore(kind, folder)
const history: HistoryEvent[] = []

const tasks: Record<string, (turn: number) => Promise<void>> = {
  /** Opens and closes, so that opening can be raced. */
  async open() {
    await store.read(key, { now: NOW })
  },

  /** Opens a store that no process has opened before, at the same moment as the others as far as can be. */
  async create(turn) {
    const fresh = join(folder, String(turn))
    mkdirSync(fresh, { recursive: true })
    const created = openStore(kind, fresh)
    await created.read(key, { now: NOW })
    await created.close?.()
  },

  /** Adds 1 to the number under the key, and remembers what was read and written when. */
  async increment() {
    let isWritten = false
    while (!isWritten) {
      const from = now()
      let [readAt, before] = [0, 0]
      isWritten = await overwrite((text, version) => {
        readAt = now()
        before = version - 1
        return String(Number(text) + 1)
      })
      history.push({ from, to: readAt, before, after: before })
      if (isWritten) history.push({ from: readAt, to: now(), before, after: before + 1 })
    }
  },

  /** Writes over the key, and fails if somebody else does. */
  async write() {
    if (!(await overwrite((_, version) => `other ${version}`))) throw new Error('lost, with no rival about')
  },

  /** Deletes the key. */
  async delete() {
    await store.delete(key)
  },

  /** Writes over the key and prints the version as soon as that is acknowledged. */
  async acknowledge() {
    let written = 0
    const isWritten = await overwrite((_, version) => {
      written = version
      return recordOf(version)
    })
    if (isWritten) writeSync(1, `${written}\n`)
  },
}

for (let turn = 0; turn < Number(times); turn += 1) await tasks[task]?.(turn)
await store.close?.()
if (history.length > 0) process.stdout.write(JSON.stringify(history))

/** In ns, on a clock that all processes of a machine share. */
function now(): number {
  return Number(process.hrtime.bigint())
}

function recordOf(version: number): string {
  return `${version} `.repeat(500)
}

async function overwrite(next: (text: string, version: number) => string): Promise<boolean> {
  const stored = await store.read(key, { now: NOW })
  const expected = stored?.version ?? 0
  const version = expected + 1
  return store.write(
    key,
    { version, text: next(stored?.text ?? '0', version), expires: LATER },
    expected,
    NOW,
  )
}
