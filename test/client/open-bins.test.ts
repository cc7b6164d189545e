// @vitest-environment node
import { describe, expect, it, vi } from 'vitest'
import * as z from 'zod/mini'
import type { Status } from '../../src/client/client-bins.ts'
import { headerTransport } from '../../src/client/header/header-transport.ts'
import { openBins } from '../../src/client/open-bins.ts'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { openClock, openTimers } from '../support/clock.ts'
import { openProfile } from '../support/pages/page.ts'
import { fetchWith } from '../support/sites/http.ts'

const bins = defineBins({
  theme: { schema: z.string(), storage: 'cookie' },
  note: { schema: z.string(), browser: 'write' },
  draft: { schema: z.string(), storage: 'device' },
  plan: { schema: z.string(), browser: 'read' },
})

function setUp() {
  const clock = openClock()
  const timers = openTimers()
  const profile = openProfile()
  const server = serveBins(bins, { store: memoryStore(), clock })
  const fetch = fetchWith(profile.jar, server.fetch)
  const open = () => profile.open(bins, { clock, timer: timers.start, fetch })
  return { clock, timers, profile, server, open }
}

describe('openBins', () => {
  it('gives methods that work by themselves', async () => {
    const { get, set, update, names } = await setUp().open()
    set('theme', 'dark')
    set('draft', 'text')
    await update('note', () => 'note')
    expect([get('theme'), get('draft'), get('note')]).toEqual(['dark', 'text', 'note'])
    expect(names()).toEqual(['theme', 'note', 'draft'])
  })

  it('opens nothing in a worker, which sees no cookies, unless it does without them', async () => {
    const sees: unknown[] = []
    const fetch = async () => {
      sees.push('a request')
      return new Response()
    }
    // There is no document outside of a profile's pages.
    expect(typeof document).toBe('undefined')
    await expect(openBins(bins, { fetch })).rejects.toThrow(
      new TypeError(
        'openBins: there is no document here, and so no cookies: open the bins in a page, and send a worker what it needs; ' +
          'or pass transport: headerTransport().',
      ),
    )
    expect(sees).toEqual([])
    const page = await openBins(bins, {
      fetch,
      transport: headerTransport({ origin: 'https://api.example' }),
    })
    page.set('theme', 'dark')
    expect(page.get('theme')).toBe('dark')
    await page.close()
  })

  it('says where bins are kept, and why', async () => {
    const page = await setUp().open()
    expect(page.status()).toEqual({
      phase: 'idle',
      pending: 0,
      pendingSince: undefined,
      storage: { kind: 'memory', reason: expect.stringContaining('indexedDB') },
      lastSyncedAt: undefined,
      problem: undefined,
    })
  })

  it('gives the same status until something changes, so that frameworks which compare it come to rest', async () => {
    const page = await setUp().open()
    const first = page.status()
    expect(page.status()).toBe(first)
    const seen: Status[] = []
    page.watch((status) => seen.push(status))
    page.set('note', 'text')
    const edited = page.status()
    expect(edited).not.toBe(first)
    expect([page.status(), seen.at(-1)]).toEqual([edited, edited])
    expect(page.status()).toBe(edited)
    expect(seen.at(-1)).toBe(edited)
    // It says no more of a newer edit.
    page.set('note', 'more')
    expect(page.status()).toBe(edited)
    // Watchers hear of changes alone.
    expect(seen).toEqual([edited])
    await page.sync()
    expect(page.status()).not.toBe(edited)
    expect(page.status()).toBe(page.status())
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.at(-1)).toBe(page.status())
  })

  it('tells watchers of each change of the status, until they end that', async () => {
    const page = await setUp().open()
    const seen: Status[] = []
    const stop = page.watch((status) => seen.push(status))
    page.set('note', 'text')
    expect(seen.at(-1)).toMatchObject({ phase: 'idle', pending: 1 })
    expect(page.pending('note')).toBe(true)
    await page.sync()
    expect(seen.map(({ phase }) => phase)).toContain('syncing')
    expect(seen.at(-1)).toMatchObject({ phase: 'idle', pending: 0 })
    expect(page.pending('note')).toBe(false)
    stop()
    seen.length = 0
    page.set('note', 'more')
    expect(seen).toEqual([])
  })

  it('takes no edit after it was closed, and leaves no timer', async () => {
    const { open, timers } = setUp()
    const page = await open()
    page.set('note', 'text')
    expect(timers.waiting).toHaveLength(1)
    await page.close()
    expect(timers.waiting).toEqual([])
    for (const name of ['theme', 'note', 'draft'] as const) {
      expect(() => page.set(name, 'more')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
      await expect(page.update(name, () => 'more')).rejects.toMatchObject({ code: 'CLOSED' })
    }
    expect(page.get('note')).toBe('text')
    expect(timers.waiting).toEqual([])
  })

  it('clears at once: what is written next is kept', async () => {
    const { open } = setUp()
    const page = await open()
    for (const name of ['theme', 'note', 'draft'] as const) page.set(name, 'old')
    await page.sync()
    const cleared = page.clear()
    expect(page.names()).toEqual([])
    for (const name of ['note', 'draft'] as const) page.set(name, 'new')
    await cleared
    await page.sync()
    expect([page.get('theme'), page.get('note'), page.get('draft')]).toEqual([undefined, 'new', 'new'])
  })

  it('keeps a cookie that is written before the server has heard of the clear', async () => {
    const { open } = setUp()
    const page = await open()
    page.set('theme', 'old')
    page.set('note', 'old')
    await page.sync()
    const cleared = page.clear()
    page.set('theme', 'new')
    await cleared
    expect(page.get('theme')).toBe('new')
  })
})

describe('a listener that throws', () => {
  it('stops neither the edit, nor its storing, nor other listeners', async () => {
    const { open, server } = setUp()
    const page = await open()
    const heard: unknown[] = []
    const thrown = catchUncaught()
    page.subscribe('note', (note) => {
      if (note === 'text') throw new Error('mine')
    })
    page.watch(({ pending }) => {
      if (pending > 0) throw new Error('mine too')
    })
    page.subscribe('note', (note) => heard.push(note))
    page.set('note', 'text')
    await page.save()
    await page.sync()
    expect(heard).toEqual([undefined, 'text'])
    expect(page.status().pending).toBe(0)
    expect(server).toBeDefined()
    expect(thrown.end()).toEqual(expect.arrayContaining([new Error('mine'), new Error('mine too')]))
  })
})

/** Catches what is thrown where nobody can catch it, as `window.onerror` does. */
function catchUncaught(): { end(): unknown[] } {
  const errors: unknown[] = []
  const microtask = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((run) => {
    try {
      run()
    } catch (error) {
      errors.push(error)
    }
  })
  return {
    end() {
      microtask.mockRestore()
      return errors
    },
  }
}
