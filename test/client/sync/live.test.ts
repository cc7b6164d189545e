// @vitest-environment node
import { describe, expect, it } from 'vitest'
import type { Moment, Page } from '../../../src/client/page/page.ts'
import { openLive } from '../../../src/client/sync/live.ts'
import { openTimers } from '../../support/clock.ts'
import { fakePage } from '../../support/pages/fake-page.ts'
import { idle } from '../../support/pages/page-sync.ts'

type Listener = (event: { data?: string }) => void

/** A page that follows a server which does what the test says. */
function setUp(parts: Partial<Page> = {}) {
  const timers = openTimers()
  const streams: FakeStream[] = []
  const pulls: unknown[] = []
  const polls: string[] = []
  const state = { tag: 'tag', isVisible: true, answer: (): Response | Promise<Response> => Response.error() }
  let tell = (_: Moment): void => {}

  class FakeStream {
    isOpen = true
    readonly listeners = new Map<string, Listener>()
    constructor() {
      streams.push(this)
    }
    addEventListener(type: string, listener: Listener) {
      this.listeners.set(type, listener)
    }
    close() {
      this.isOpen = false
    }
    /** Something arrives. */
    send(type: string, message: object = {}) {
      this.listeners.get(type)?.({ data: JSON.stringify({ v: 1, ...message }) })
    }
  }

  const page = fakePage({
    EventSource: FakeStream as unknown as typeof EventSource,
    timer: timers.start,
    random: () => 0.5,
    isVisible: () => state.isVisible,
    watch(listener) {
      tell = listener
      return () => {}
    },
    async fetch(url) {
      polls.push(String(url))
      return state.answer()
    },
    ...parts,
  })
  const live = openLive({
    page,
    path: '/bins',
    tag: () => state.tag,
    known: () => ({ default: 'epoch.1.mark' }),
    async pull(cursors) {
      pulls.push(cursors)
    },
  })

  /** Lets a timer of so many ms call back. */
  async function pass(ms: number): Promise<void> {
    const timer = timers.waiting.find((waiting) => waiting.ms === ms)
    if (!timer) throw new Error(`no timer of ${ms} ms, but of ${timers.waiting.map((one) => one.ms)}`)
    timer.fire()
    await idle()
  }

  async function befall(moment: Moment): Promise<void> {
    state.isVisible = moment !== 'hidden' && moment !== 'left'
    tell(moment)
    await idle()
  }

  async function begin(): Promise<void> {
    live.begin()
    await idle()
  }

  const stream = () => streams.at(-1) as FakeStream
  return { live, begin, befall, pass, stream, streams, pulls, polls, timers, state }
}

const ASK_MS = 75_000
const HELLO_MS = 5_000
const STAY_MS = 10_000
const cursors = { default: 'epoch.2.mark' }

describe('a page that is shown', () => {
  it('opens one stream, and pulls what that tells of', async () => {
    const { begin, stream, streams, pulls } = setUp()
    await begin()
    await begin()
    expect(streams).toHaveLength(1)
    stream().send('hello', { cursors })
    stream().send('poke', { cursors: { default: 'epoch.3.mark' } })
    expect(pulls).toEqual([cursors, { default: 'epoch.3.mark' }])
  })

  it('asks now and then as long as it hears nothing', async () => {
    const { begin, stream, pulls, pass } = setUp()
    await begin()
    await pass(ASK_MS)
    expect(pulls).toEqual([undefined])
    stream().send('hello', { cursors })
    await pass(ASK_MS)
    expect(pulls).toEqual([undefined, cursors])
  })

  it('opens another stream when the server has said bye, as late as it said', async () => {
    const { begin, stream, streams, pass } = setUp()
    await begin()
    stream().send('hello', { cursors })
    stream().send('bye', { retryMs: 7_777 })
    await idle()
    expect(stream().isOpen).toBe(false)
    await pass(7_777)
    expect(streams).toHaveLength(2)
  })

  it('opens another stream, later and later, when one fails', async () => {
    const { begin, stream, streams, pass } = setUp()
    await begin()
    stream().send('error')
    await idle()
    expect(stream().isOpen).toBe(false)
    await pass(1_000)
    expect(streams).toHaveLength(2)
  })

  it('sends requests that wait where streams say nothing, and keeps to them', async () => {
    const { begin, streams, polls, pulls, pass, state } = setUp()
    state.answer = () => Response.json({ v: 1, cursors })
    await begin()
    await pass(HELLO_MS)
    await pass(1_000)
    await pass(HELLO_MS)
    await pass(2_000)
    expect(streams).toHaveLength(2)
    expect(polls).toEqual([
      `/bins/events?known=${encodeURIComponent(JSON.stringify({ default: 'epoch.1.mark' }))}`,
    ])
    expect(pulls).toEqual([cursors])
    await pass(2_000)
    expect([streams.length, polls.length]).toEqual([2, 2])
  })

  it('tries streams again when those requests fail too', async () => {
    const { begin, streams, polls, pass } = setUp()
    await begin()
    await pass(HELLO_MS)
    await pass(1_000)
    await pass(HELLO_MS)
    await pass(2_000)
    expect(polls).toHaveLength(1)
    await pass(4_000)
    expect(streams).toHaveLength(3)
  })

  it.each([204, 404])(
    'sends requests that wait where there are no streams, until it hears %d',
    async (status) => {
      const { begin, polls, timers, state } = setUp({ EventSource: undefined })
      state.answer = () => new Response(null, { status })
      await begin()
      await begin()
      expect(polls).toHaveLength(1)
      expect(timers.waiting.map(({ ms }) => ms)).toEqual([ASK_MS])
      state.tag = 'another'
      await begin()
      expect(polls).toHaveLength(2)
    },
  )

  it('takes nothing from a captive portal', async () => {
    const { begin, pulls, state } = setUp({ EventSource: undefined })
    state.answer = () => new Response('<p>Log in</p>')
    await begin()
    expect(pulls).toEqual([])
  })

  it('does not follow a server that knows no visitor of it, and looks whether there is one', async () => {
    const { begin, pass, streams, pulls, state } = setUp()
    state.tag = ''
    await begin()
    await pass(ASK_MS)
    expect([streams, pulls]).toEqual([[], [undefined]])
  })
})

describe('a page whose visitor is gone', () => {
  it('opens no other stream, and follows again as soon as there is one', async () => {
    const { begin, streams, pass, state } = setUp()
    await begin()
    state.tag = ''
    streams[0]?.send('bye', { retryMs: 3_000 })
    await idle()
    await pass(3_000)
    expect(streams).toHaveLength(1)
    state.tag = 'another'
    await begin()
    expect(streams).toHaveLength(2)
  })
})

describe('a page that is hidden', () => {
  it.each(['hidden', 'left'] as const)('closes its stream when it is %s', async (moment) => {
    const { begin, befall, stream, timers } = setUp()
    await begin()
    await befall(moment)
    expect(stream().isOpen).toBe(false)
    expect(timers.waiting).toEqual([])
  })

  it('pulls, and opens a stream, when it is shown again', async () => {
    const { begin, befall, streams, pulls } = setUp()
    await begin()
    await befall('hidden')
    await befall('shown')
    expect(pulls).toEqual([undefined])
    expect(streams.map(({ isOpen }) => isOpen)).toEqual([false, true])
  })

  it('lets go of its stream before it is left, and opens another if it is not left after all', async () => {
    const { begin, befall, pass, stream, streams } = setUp()
    await begin()
    await befall('leaving')
    expect(stream().isOpen).toBe(false)
    await pass(STAY_MS)
    expect(streams).toHaveLength(2)
  })

  it('takes no answer that arrives after it', async () => {
    const { begin, befall, polls, pulls, timers, state } = setUp({ EventSource: undefined })
    state.answer = () => new Promise(() => {})
    await begin()
    await befall('left')
    expect(polls).toHaveLength(1)
    expect([pulls, timers.waiting]).toEqual([[], []])
  })
})

describe('several pages', () => {
  it('take turns: the next one follows when the first is hidden', async () => {
    const waiting: Array<() => void> = []
    const lock: Page['lock'] = (_, work, until) =>
      new Promise((resolve) => {
        waiting.push(() => void work().then(resolve))
        until?.addEventListener('abort', () => void work().then(resolve))
      })
    const { begin, befall, streams } = setUp({ lock })
    await begin()
    expect(streams).toEqual([])
    for (const enter of waiting) enter()
    expect(streams).toHaveLength(1)
    await befall('hidden')
    expect(streams.map(({ isOpen }) => isOpen)).toEqual([false])
  })
})
