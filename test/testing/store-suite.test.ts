import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import type { Store, Stored } from '../../src/stores/store.ts'
import { storeSuite } from '../../src/testing/store-suite.ts'

type Break = (store: Store) => Partial<Store>

/** Stores with one fault each, and a case that finds it. */
const FAULTS: Record<string, { broken: Break; finds: string }> = {
  'writes over any version': {
    broken: ({ read, write }) => ({
      async write(key, next, _, now) {
        return write(key, next, (await read(key, { now }))?.version ?? 0, now).catch(() => false)
      },
    }),
    finds: 'changes nothing when the version has moved on',
  },
  'checks the version and writes later': {
    broken: ({ read, write }) => ({
      async write(key, next, expected, now) {
        const found = (await read(key, { now }))?.version ?? 0
        await turn()
        if (found !== expected) return false
        const latest = (await read(key, { now }))?.version ?? 0
        return write(key, { ...next, version: Math.max(next.version, latest + 1) }, latest, now)
      },
    }),
    finds: 'lets one of 20 racers write who all write the same',
  },
  'answers a write before it is there': {
    broken: ({ read, write }) => ({
      async write(key, next, expected, now) {
        if (((await read(key, { now }))?.version ?? 0) !== expected) return false
        void turn()
          .then(() => write(key, next, expected, now))
          .catch(() => {})
        return true
      },
    }),
    finds: 'answers callers at random as if one had come after the other',
  },
  'reads what was there a moment ago': {
    broken: ({ read }) => {
      const seen = new Map<string, Stored | undefined>()
      return {
        async read(key, options) {
          const before = seen.get(key)
          const found = await read(key, options)
          seen.set(key, found)
          return before && found ? before : found
        },
      }
    },
    finds: 'answers callers at random as if one had come after the other',
  },
  'goes by a clock of its own': {
    broken: ({ read }) => ({ read: (key, { fresh = false }) => read(key, { now: Date.now(), fresh }) }),
    finds: 'goes by the clock of each caller, and by no other',
  },
  'sweeps what is live': {
    broken: ({ sweep }) => ({ sweep: (now, limit) => sweep(now + 2 * 86_400_000, limit) }),
    finds: 'sweeps what has expired and nothing else',
  },
  'sweeps without a limit': {
    broken: ({ sweep }) => ({ sweep: (now) => sweep(now, Infinity) }),
    finds: 'sweeps no more than it is told at a time',
  },
  'cuts keys': {
    broken: ({ read, write, delete: remove }) => ({
      read: (key, options) => read(key.slice(0, 120), options),
      write: (key, next, expected, now) => write(key.slice(0, 120), next, expected, now),
      delete: (key, expected) => remove(key.slice(0, 120), expected),
    }),
    finds: 'keeps keys apart that differ in anything',
  },
  'takes capital letters for small ones': {
    broken: ({ read, write }) => ({
      read: (key, options) => read(key.toLowerCase(), options),
      write: (key, next, expected, now) => write(key.toLowerCase(), next, expected, now),
    }),
    finds: 'keeps keys apart that differ in anything',
  },
  'loses the last character of a long text': {
    broken: ({ write }) => ({
      write: (key, next, expected, now) =>
        write(key, { ...next, text: next.text.slice(0, 999_999) }, expected, now),
    }),
    finds: 'keeps any well-formed text',
  },
  'brings back what was deleted': {
    broken: ({ read, write }) => ({
      async write(key, next, expected, now) {
        const isGone = expected > 0 && !(await read(key, { now }))
        return write(key, next, isGone ? 0 : expected, now)
      },
    }),
    finds: 'brings nothing back with a write after a delete',
  },
  'deletes any version': {
    broken: ({ delete: remove }) => ({ delete: (key) => remove(key) }),
    finds: 'deletes only the version it is told',
  },
  'keeps a copy that it never drops': {
    broken: ({ read }) => {
      const copies = new Map<string, Stored>()
      return {
        async read(key, options) {
          const copy = options.fresh ? undefined : copies.get(key)
          const found = copy ?? (await read(key, options))
          if (found) copies.set(key, found)
          return found
        },
      }
    },
    finds: 'shows the next reader a write, a lost write and a deletion, without fresh',
  },
  'tells versions of what has expired': {
    broken: ({ versions }) => ({
      versions: (keys, now) => versions?.(keys, now - 1_000) ?? Promise.resolve(new Map()),
    }),
    finds: 'tells the versions of those keys that are there',
  },
  'scans the first page alone': {
    broken: ({ scan }) => ({
      scan: async (cursor, limit) => ({ entries: (await scan?.(cursor, limit))?.entries ?? [] }),
    }),
    finds: 'scans every entry, page by page',
  },
}

describe('storeSuite', () => {
  it.each(Object.entries(FAULTS))('finds a store that %s', async (_, { broken, finds }) => {
    const open = () => {
      const store = memoryStore()
      return { ...store, ...broken(store) }
    }
    expect(await failuresOf(open)).toContain(finds)
  })

  it('finds nothing wrong where nothing is', async () => {
    expect(await failuresOf(() => memoryStore())).toEqual([])
  })

  it('closes each store', async () => {
    const left = new Set<Store>()
    const open = () => {
      const memory = memoryStore()
      const store = {
        ...memory,
        async close() {
          left.delete(store)
          await memory.close?.()
        },
      }
      left.add(store)
      return store
    }
    await failuresOf(open)
    expect(left.size).toBe(0)
  })
})

/** The names of the cases that a store fails. */
async function failuresOf(open: () => Store): Promise<string[]> {
  const failures: string[] = []
  const runs: Array<() => Promise<void>> = []
  storeSuite(
    (name, run) => {
      runs.push(() => inTime(run()).catch(() => void failures.push(name)))
    },
    { open },
  )
  for (const run of runs) await run()
  return failures
}

/** A broken store may keep a case waiting for ever. */
function inTime(run: Promise<void>): Promise<void> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(reject, 500, new Error('It takes too long.')).unref()
  })
  return Promise.race([run, late])
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
