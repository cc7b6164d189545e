import { describe, expect, it, onTestFinished } from 'vitest'
import { migrate } from '../../src/migrate/migrate.ts'
import { movingStore } from '../../src/migrate/moving-store.ts'
import type { Store } from '../../src/stores/store.ts'
import { increment } from '../../src/testing/store-suite/case.ts'
import { NOW, openStore } from '../support/stores/open-store.ts'
import { type PlaceMaker, placeMakers } from '../support/stores/places.ts'

const KEYS = Array.from({ length: 10 }, (_, index) => `key ${index}`)
const isFresh = { now: NOW, fresh: true }
const clock = () => NOW

const WRITERS = 4
const TURNS = 50

/** Those that can be listed, each with the next one. */
const makers = placeMakers().filter(({ kind }) => kind !== 'memcached')
const moves = makers.map((from, index) => ({ from, to: makers[(index + 1) % makers.length] ?? from }))

describe.each(moves)('a site that moves from $from.kind to $to.kind', ({ from, to }) => {
  it('counts exactly, and what it deletes does not come back', { timeout: 120_000 }, async () => {
    const [openFrom, openTo] = [await opener(from), await opener(to)]
    const open = (move: boolean) => movingStore(openFrom(), openTo(), { move })
    const first = openFrom()
    for (const key of KEYS) for (const name of [key, `deleted ${key}`]) await increment(first, name)

    const write = async (store: Store, writer: number) => {
      for (let turn = 0; turn < TURNS; turn += 1)
        await increment(store, KEYS[(writer + turn) % KEYS.length] ?? '')
    }
    const writers = Array.from({ length: WRITERS }, (_, writer) => write(open(writer % 2 === 1), writer))
    const remove = async (store: Store) => {
      for (const key of KEYS) expect(await store.delete(`deleted ${key}`)).toBe(true)
    }
    const removing = remove(open(true))
    const [old, next] = [openFrom(), openTo()]
    await migrate(old, next, { move: true, clock, pageSize: 3 })
    await Promise.all([...writers, removing])
    while ((await migrate(old, next, { move: true, clock })).late > 0) {}

    let sum = 0
    for (const key of KEYS) {
      sum += Number((await next.read(key, isFresh))?.text)
      expect(await next.read(`deleted ${key}`, isFresh)).toBeUndefined()
    }
    expect(sum).toBe(KEYS.length + WRITERS * TURNS)
  })
})

/** Makes a place, and opens stores there that close when the test ends. */
async function opener({ kind, make }: PlaceMaker): Promise<() => Store> {
  const { place, remove } = await make()
  onTestFinished(remove)
  return () => {
    const store = openStore(kind, place)
    onTestFinished(() => store.close?.())
    return store
  }
}
