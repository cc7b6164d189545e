// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { openQueue } from '../../../src/client/table/optimistic-queue.ts'

type State = readonly string[]

/** A queue on a store whose transactions can be held up. */
function setUp({ stored = [] as State } = {}) {
  const changes: State[] = []
  const batches: State[] = []
  const store = { state: stored, failure: undefined as unknown, before: async () => {} }
  const queue = openQueue<State>({
    initial: stored,
    async transact(step) {
      await store.before()
      if (store.failure) throw store.failure
      const before = store.state
      store.state = step(before)
      batches.push(store.state.slice(before.length))
      return store.state
    },
    onChange: () => changes.push(queue.shown),
  })
  return { queue, store, changes, batches }
}

const append = (word: string) => ({ apply: (state: State) => [...state, word] })

/** An edit that can be made once only. */
const once = (word: string) => ({
  apply(state: State) {
    if (state.includes(word)) throw new RangeError(`${word} is there`)
    return [...state, word]
  },
})

describe('an edit queue', () => {
  it('shows an edit at once, and stores it in the background', async () => {
    const { queue, store, changes } = setUp()
    const stored = queue.add(append('a'))
    expect([queue.shown, queue.stored, store.state]).toEqual([['a'], [], []])
    await stored
    expect([queue.shown, queue.stored, store.state]).toEqual([['a'], ['a'], ['a']])
    expect(changes).toEqual([['a'], ['a']])
  })

  it('stores the edits of one task in one transaction', async () => {
    const { queue, batches } = setUp()
    await Promise.all([queue.add(append('a')), queue.add(append('b')), queue.add(append('c'))])
    expect(batches).toEqual([['a', 'b', 'c']])
  })

  it('stores an edit that is made as soon as the one before it is stored', async () => {
    const { queue, store } = setUp()
    for (const word of ['a', 'b', 'c']) await queue.add(append(word))
    expect(store.state).toEqual(['a', 'b', 'c'])
  })

  it('stores an edit that is made while another is being stored', async () => {
    const { queue, store } = setUp()
    const late: Array<Promise<void>> = []
    store.before = async () => {
      store.before = async () => {}
      late.push(queue.add(append('b')))
    }
    await queue.add(append('a'))
    await Promise.all(late)
    expect(store.state).toEqual(['a', 'b'])
  })

  it('makes edits on what others have stored by then', async () => {
    const { queue, store } = setUp()
    const stored = queue.add(append('mine'))
    store.state = ['theirs']
    await stored
    expect(queue.shown).toEqual(['theirs', 'mine'])
  })

  it('refuses an edit at once that cannot be made on what is shown', async () => {
    const { queue, store, changes } = setUp({ stored: ['a'] })
    expect(() => queue.add(once('a'))).toThrow(RangeError)
    expect(changes).toEqual([])
    await queue.flush()
    expect(store.state).toEqual(['a'])
  })

  it('lets an edit fail alone that cannot be made any more', async () => {
    const { queue, store } = setUp()
    const edits = [queue.add(append('x')), queue.add(once('a')), queue.add(append('y'))]
    store.state = ['a']
    await expect(edits[1]).rejects.toThrow(RangeError)
    await Promise.all([edits[0], edits[2]])
    expect([queue.shown, store.state]).toEqual([
      ['a', 'x', 'y'],
      ['a', 'x', 'y'],
    ])
  })

  it('goes on after an edit that cannot be made any more while it waits', async () => {
    const { queue, store } = setUp()
    const edits: Array<Promise<void>> = []
    store.before = async () => {
      store.before = async () => {}
      edits.push(queue.add(once('a')), queue.add(append('y')))
      store.state = ['a']
    }
    await queue.add(append('x'))
    await expect(edits[0]).rejects.toThrow(RangeError)
    await edits[1]
    expect(queue.shown).toEqual(['a', 'x', 'y'])
  })

  it('shows an edit no more that could not be stored', async () => {
    const { queue, store } = setUp()
    store.failure = new Error('full')
    await expect(queue.add(append('a'))).rejects.toThrow('full')
    expect(queue.shown).toEqual([])
    store.failure = undefined
    await queue.add(append('b'))
    expect(queue.shown).toEqual(['b'])
  })

  it('makes other changes after the edits so far', async () => {
    const { queue, store } = setUp()
    const edits = [queue.add(append('a')), queue.add(append('b'))]
    await queue.change((state) => [...state, 'change'])
    await Promise.all(edits)
    expect([store.state, queue.shown]).toEqual([
      ['a', 'b', 'change'],
      ['a', 'b', 'change'],
    ])
  })

  it('takes over what others have stored, under the edits that wait', async () => {
    const { queue, store } = setUp()
    await queue.replaceBy(async () => {
      void queue.add(append('mine'))
      store.state = ['theirs']
      return ['theirs']
    })
    expect(queue.shown).toEqual(['theirs', 'mine'])
    await queue.flush()
    expect(store.state).toEqual(['theirs', 'mine'])
  })

  it('tells an edit nothing of a transaction that was tried in vain', async () => {
    const told: unknown[] = []
    const queue = openQueue<string[]>({
      initial: [],
      async transact(step) {
        step(['failed'])
        return step(['theirs'])
      },
      onChange() {},
    })
    await queue.add({ ...append('a'), onApplied: (before) => told.push(before) })
    expect(told).toEqual([['theirs']])
  })

  it('tells an edit what each transaction has made of it', async () => {
    const { queue, store } = setUp()
    const told: unknown[] = []
    store.state = ['theirs']
    await queue.add({ ...append('a'), onApplied: (before, after) => told.push([before, after]) })
    expect(told).toEqual([[['theirs'], ['theirs', 'a']]])
  })
})
