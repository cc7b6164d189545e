// @vitest-environment node
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { MAX_SYNC_BYTES } from '../../../src/core/limits.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { SECOND } from '../../support/clock.ts'
import { settled, setUp } from '../../support/pages/page-sync.ts'
import { fetchWith, requestWith } from '../../support/sites/http.ts'
import { readable } from '../../support/wire.ts'

describe('a sync', () => {
  it('sends nothing before there is something to send', async () => {
    const { openPage, requests, delays } = setUp()
    const page = await openPage()
    await page.sync()
    expect(requests).toEqual([])
    expect(delays()).toEqual([])
  })

  it('makes a visitor with the first edit, once', async () => {
    const { openPage, requests, profile, onServer } = setUp()
    const page = await openPage()
    page.set('note', 'first')
    page.set('other', 'second')
    expect(await page.sync()).toEqual({
      accepted: ['note', 'other'],
      merged: [],
      superseded: [],
      rejected: [],
    })
    expect(requests).toHaveLength(2)
    expect(profile.jar.header()).toMatch(/^__Host-bb=[\w-]{22}\.[\w-]{43}; bb\.o=[\w-]{16}$/)
    expect(await onServer('note')).toBe('first')
    expect(page.status()).toMatchObject({ phase: 'idle', pending: 0, problem: undefined })
  })

  it('sends a burst of edits together, soon', async () => {
    const { openPage, requests, timers, delays, onServer } = setUp()
    const page = await openPage()
    for (const note of ['a', 'ab', 'abc']) page.set('note', note)
    expect(delays()).toEqual([50])
    timers.waiting[0]?.fire()
    await settled(page)
    expect(requests).toHaveLength(2)
    expect(await onServer('note')).toBe('abc')
    expect(delays()).toEqual([])
  })

  it('brings what the server has written, and never what is not for the browser', async () => {
    const { openPage, inRequest, network } = setUp()
    await inRequest((state) => {
      state.set('plan', 'gold')
      state.set('secret', 'mine')
    })
    const answers: string[] = []
    const { answer } = network
    network.answer = async (request) => {
      const response = await answer(request)
      answers.push(readable(await response.clone().text()))
      return response
    }
    const page = await openPage()
    await settled(page)
    expect(page.get('plan')).toBe('gold')
    expect(page.get('secret')).toBeUndefined()
    expect(answers.join()).toContain('gold')
    expect(answers.join()).not.toContain('mine')
  })

  it('tells listeners what came from the server', async () => {
    const { openPage, inRequest } = setUp()
    await inRequest((state) => state.set('note', 'one'))
    const page = await openPage()
    const heard: unknown[] = []
    page.subscribe('note', (note) => heard.push(note))
    await settled(page)
    await inRequest((state) => state.set('note', 'two'))
    await page.sync()
    await page.sync()
    expect(heard).toEqual([undefined, 'one', 'two'])
  })

  it('takes what it is told of a deletion', async () => {
    const { openPage, inRequest } = setUp()
    await inRequest((state) => state.set('note', 'one'))
    const page = await openPage()
    await settled(page)
    await inRequest((state) => state.set('note', null))
    await page.sync()
    expect(page.has('note')).toBe(false)
  })

  it('leaves out what was changed on both sides in favour of the later edit', async () => {
    const { openPage, inRequest, clock, onServer } = setUp()
    await inRequest((state) => state.set('note', 'base'))
    const page = await openPage()
    await settled(page)
    page.set('note', 'mine')
    clock.advance(SECOND)
    await inRequest((state) => state.set('note', 'later'))
    expect(await page.sync()).toMatchObject({ superseded: ['note'] })
    expect(page.get('note')).toBe('later')
    clock.advance(SECOND)
    await inRequest((state) => state.set('note', 'earlier'))
    clock.advance(SECOND)
    page.set('note', 'latest')
    expect(await page.sync()).toMatchObject({ accepted: ['note'] })
    expect(await onServer('note')).toBe('latest')
  })

  it('keeps an edit that the server refuses as a draft', async () => {
    const { openPage, network, server, events, inRequest } = setUp()
    const strict = serveBins(
      defineBins({ note: { schema: z.string().check(z.maxLength(3)), browser: 'write' } }),
      { store: memoryStore() },
    )
    network.answer = strict.fetch
    const page = await openPage()
    page.set('note', 'too long')
    expect(await page.sync()).toMatchObject({ rejected: ['note'] })
    expect(page.rejected('note')).toMatchObject({
      data: 'too long',
      issues: [{ message: expect.any(String) }],
    })
    expect(page.has('note')).toBe(false)
    expect(page.status().pending).toBe(0)
    expect(events).toContainEqual({ type: 'rejected', bin: 'note' })
    network.answer = server.fetch
    await inRequest(() => {})
    await page.retry('note')
    expect(page.rejected('note')).toBeUndefined()
    expect(page.get('note')).toBe('too long')
  })

  it('keeps edits of a newer version until the server knows it', async () => {
    const { profile, clock, timers } = setUp()
    const older = defineBins({ note: { schema: z.string(), browser: 'write' } })
    const newer = defineBins({ note: { schema: z.string(), browser: 'write', version: 2 } })
    const store = memoryStore()
    let present = serveBins(older, { store, clock }).fetch
    const fetch = fetchWith(profile.jar, (request) => present(request))
    const page = await profile.open(newer, { clock, timer: timers.start, fetch })
    page.set('note', 'newer')
    await expect(page.sync()).rejects.toMatchObject({ code: 'SYNC_FAILED' })
    expect(page.status()).toMatchObject({ problem: 'outdated', pending: 1 })
    present = serveBins(newer, { store, clock }).fetch
    expect(await page.sync()).toMatchObject({ accepted: ['note'] })
  })

  it('sends more edits than fit into one request', async () => {
    const names = Array.from({ length: 80 }, (_, index) => `bin-${index}`)
    const many = defineBins(
      Object.fromEntries(names.map((name) => [name, { schema: z.string(), browser: 'write' }])),
    )
    const { profile, clock, timers } = setUp()
    const server = serveBins(many, { store: memoryStore(), clock })
    const options = { clock, timer: timers.start, fetch: fetchWith(profile.jar, server.fetch) }
    const page = await profile.open(many, options)
    for (const name of names) page.set(name, name.repeat(50))
    expect((await page.sync()).accepted).toHaveLength(80)
    const state = await server.open(requestWith(profile.jar))
    for (const name of names) expect(state.get(name)).toBe(name.repeat(50))
  })
})

describe('a sync of all that a record can hold', () => {
  it.each([
    ['the largest bins', 4, 16_384, 1],
    ['as many bins as one request takes', 64, 1_024, 1],
    ['as many bins as there can be', 100, 655, 2],
  ])('takes no more requests than it needs: %s', async (_, count, bytes, requests) => {
    const names = Array.from({ length: count }, (_, index) => `bin-${index}`)
    const full = defineBins(
      Object.fromEntries(names.map((name) => [name, { schema: z.string(), browser: 'write' }])),
    )
    const { profile, clock, timers } = setUp()
    const server = serveBins(full, { store: memoryStore(), clock })
    const lengths: number[] = []
    const fetch = fetchWith(profile.jar, async (request) => {
      lengths.push((await request.clone().arrayBuffer()).byteLength)
      return server.fetch(request)
    })
    const page = await profile.open(full, { clock, timer: timers.start, fetch })
    const data = 'ä'.repeat((bytes - '{"json":"x"}'.length) / 2) + 'x'
    for (const name of names) page.set(name, data)
    expect((await page.sync()).accepted).toHaveLength(count)
    // The first one makes the visitor.
    expect(lengths).toHaveLength(1 + requests)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(MAX_SYNC_BYTES)
    const state = await server.open(requestWith(profile.jar))
    for (const name of names) expect(state.get(name)).toBe(data)
  })
})

describe('a sync that is too large for a proxy on the way', () => {
  it('is sent in smaller pieces', async () => {
    const { openPage, network, server, onServer } = setUp()
    network.answer = async (request) => {
      const { parts } = await request.clone().json()
      return parts[0].ops.length > 1 ? new Response(null, { status: 413 }) : server.fetch(request)
    }
    const page = await openPage()
    page.set('note', 'one')
    page.set('other', 'two')
    page.set('count', 3)
    expect((await page.sync()).accepted.sort()).toEqual(['count', 'note', 'other'])
    expect([await onServer('note'), await onServer('other'), await onServer('count')]).toEqual([
      'one',
      'two',
      3,
    ])
  })
})
