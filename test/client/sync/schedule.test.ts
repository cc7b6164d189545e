// @vitest-environment node
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { DAY, MINUTE, SECOND } from '../../support/clock.ts'
import { idle, offline, openGate, portal, refusing, settled, setUp } from '../../support/pages/page-sync.ts'

describe('a sync without a server', () => {
  it('brings edits that were made offline when it is back', async () => {
    const { openPage, network, server, timers, onServer, events } = setUp()
    network.answer = offline
    const page = await openPage()
    page.set('note', 'offline')
    await expect(page.sync()).rejects.toMatchObject({ code: 'SYNC_FAILED' })
    expect(page.get('note')).toBe('offline')
    expect(page.status()).toMatchObject({ phase: 'waiting', problem: 'offline', pending: 1 })
    expect(events).toContainEqual({ type: 'sync-failed', cause: expect.any(TypeError) })
    network.answer = server.fetch
    timers.waiting[0]?.fire()
    await settled(page)
    expect(page.status()).toMatchObject({ phase: 'idle', problem: undefined, pending: 0 })
    expect(await onServer('note')).toBe('offline')
  })

  it('says that an edit is not kept in a page without IndexedDB, until the server has it', async () => {
    const { openPage } = setUp()
    const page = await openPage()
    page.set('note', 'mine')
    expect(page.status().problem).toBe('not-kept')
    await page.sync()
    expect(page.status().problem).toBeUndefined()
  })

  it('tells since when the oldest edit has been waiting, and when the last exchange succeeded', async () => {
    const { openPage, network, server, clock } = setUp()
    network.answer = offline
    const page = await openPage()
    page.set('note', 'first')
    clock.advance(MINUTE)
    page.set('other', 'second')
    clock.advance(SECOND)
    const pendingSince = clock() - 61_000
    expect(page.status()).toMatchObject({ pending: 2, pendingSince, lastSyncedAt: undefined })
    network.answer = server.fetch
    await page.sync()
    expect(page.status()).toMatchObject({ pending: 0, pendingSince: undefined, lastSyncedAt: clock() })
  })

  it('waits twice as long after each failure, up to a minute, with full jitter', async () => {
    const { openPage, network, server, timers, delays } = setUp()
    network.answer = offline
    const randoms = [1, 0.5, 0, 0.25, 1, 1, 1, 1]
    const page = await openPage({ random: () => randoms.shift() ?? 0.5 })
    page.set('note', 'text')
    const waits: number[] = []
    for (let failure = 0; failure < 8; failure += 1) {
      timers.waiting[0]?.fire()
      await settled(page)
      waits.push(...delays())
    }
    expect(waits).toEqual([1_000, 1_000, 0, 2_000, 16_000, 32_000, 60_000, 60_000])
    network.answer = server.fetch
    timers.waiting[0]?.fire()
    await settled(page)
    network.answer = offline
    page.set('note', 'again')
    timers.waiting[0]?.fire()
    await settled(page)
    expect(delays()).toEqual([500])
  })

  it('leaves the server alone for as long as it asks', async () => {
    const { openPage, network, delays } = setUp()
    for (const status of [429, 503]) {
      network.answer = refusing(status, { 'retry-after': '120' })
      const page = await openPage()
      page.set('note', 'text')
      await expect(page.sync()).rejects.toMatchObject({ code: 'SYNC_FAILED' })
      expect(delays()).toEqual([120_000])
      page.set('note', 'edited meanwhile')
      expect(delays()).toEqual([120_000])
      expect(page.status()).toMatchObject({ phase: 'waiting', problem: 'unavailable', pending: 1 })
      await page.close()
      expect(delays()).toEqual([])
    }
  })

  it('leaves the server alone also where an edit was made while it refused', async () => {
    const { openPage, network, timers, delays } = setUp()
    const { promise, resolve } = openGate<Response>()
    network.answer = () => promise
    const page = await openPage()
    page.set('note', 'text')
    const failing = page.sync().catch(() => {})
    page.set('note', 'edited meanwhile')
    for (const { ms, fire } of timers.waiting) if (ms === 50) fire()
    resolve(await refusing(503, { 'retry-after': '120' })(new Request('https://example.org')))
    await failing
    expect(delays()).toEqual([120_000])
  })

  it('asks again after a day where it was told to come back after a year', async () => {
    const { openPage, network, delays } = setUp()
    network.answer = refusing(503, { 'retry-after': '31536000' })
    const page = await openPage()
    page.set('note', 'text')
    await page.sync().catch(() => {})
    expect(delays()).toEqual([DAY])
  })

  it('does not take the page of a captive portal for an answer', async () => {
    const { openPage, network, server, onServer } = setUp()
    network.answer = portal
    const page = await openPage()
    page.set('note', 'text')
    await expect(page.sync()).rejects.toMatchObject({ code: 'SYNC_FAILED' })
    expect(page.status()).toMatchObject({ phase: 'waiting', problem: 'unavailable', pending: 1 })
    network.answer = server.fetch
    await page.sync()
    expect(await onServer('note')).toBe('text')
  })

  it('gives up on an answer whose end does not come', async () => {
    const { openPage, network, timers, delays } = setUp()
    const endless = openGate<void>()
    network.answer = async ({ signal }) => {
      endless.resolve()
      const body = new ReadableStream({
        start: (controller) => signal.addEventListener('abort', () => controller.error(signal.reason)),
      })
      return new Response(body)
    }
    const page = await openPage()
    page.set('note', 'text')
    const failing = page.sync()
    await endless.promise
    await idle()
    const limit = timers.waiting.find(({ ms }) => ms === 30_000)
    expect(limit).toBeDefined()
    limit?.fire()
    await expect(failing).rejects.toMatchObject({ code: 'SYNC_FAILED' })
    expect(delays()).toEqual([500])
  })

  it('pauses where nobody is logged in, and keeps the edits', async () => {
    for (const status of [401, 403]) {
      const { openPage, network, server, delays, onServer } = setUp()
      network.answer = refusing(status)
      const page = await openPage()
      page.set('note', `after ${status}`)
      await expect(page.sync()).rejects.toMatchObject({ code: 'SYNC_FAILED' })
      expect(page.status()).toMatchObject({ phase: 'paused', problem: 'auth', pending: 1 })
      expect(delays()).toEqual([])
      network.answer = server.fetch
      await page.sync()
      expect(page.status()).toMatchObject({ phase: 'idle', problem: undefined, pending: 0 })
      expect(await onServer('note')).toBe(`after ${status}`)
    }
  })

  it('says that the browser keeps no cookies, and keeps the edits in the page', async () => {
    const { openPage, delays } = setUp({ blocksCookies: true })
    const page = await openPage()
    page.set('note', 'text')
    await expect(page.sync()).rejects.toMatchObject({ code: 'SYNC_FAILED' })
    expect(page.status()).toMatchObject({ phase: 'paused', problem: 'cookies-blocked', pending: 1 })
    expect(page.get('note')).toBe('text')
    expect(delays()).toEqual([])
  })
})

describe('sync()', () => {
  /** A page whose exchange waits for its answer, and a server that refuses notes of more than three letters. */
  async function setUpRunning() {
    const site = setUp()
    const strict = serveBins(
      defineBins({
        note: { schema: z.string().check(z.maxLength(3)), browser: 'write' },
        other: { schema: z.string(), browser: 'write' },
      }),
      { store: memoryStore(), clock: site.clock },
    )
    site.network.answer = strict.fetch
    const page = await site.openPage()
    page.set('other', 'first')
    await page.sync()
    const answered = openGate<void>()
    const asked = openGate<void>()
    let requests = 0
    site.network.answer = async (request) => {
      const response = await strict.fetch(request)
      requests += 1
      asked.resolve()
      if (requests === 1) await answered.promise
      return response
    }
    return { ...site, page, answered, asked }
  }

  it('tells what became of edits that an exchange had taken along which was running', async () => {
    const { page, timers, answered, asked } = await setUpRunning()
    page.set('note', 'too long')
    timers.waiting.find(({ ms }) => ms === 50)?.fire()
    await asked.promise
    page.set('other', 'meanwhile')
    const syncing = page.sync()
    answered.resolve()
    expect(await syncing).toEqual({ accepted: ['other'], merged: [], superseded: [], rejected: ['note'] })
    expect(await page.sync()).toEqual({ accepted: [], merged: [], superseded: [], rejected: [] })
  })

  it('tells it to each of several that wait', async () => {
    const { page, answered, asked } = await setUpRunning()
    page.set('note', 'too long')
    const first = page.sync()
    await asked.promise
    const others = [page.sync(), page.sync()]
    answered.resolve()
    for (const result of [first, ...others]) expect(await result).toMatchObject({ rejected: ['note'] })
  })

  it('tells of edits that were made before it was called, also where the exchange that was running failed', async () => {
    const { page, timers, answered, asked, network } = await setUpRunning()
    const { answer } = network
    let isFirst = true
    network.answer = async (request) => {
      const response = await answer(request)
      if (!isFirst) return response
      isFirst = false
      return offline(request)
    }
    page.set('note', 'too long')
    timers.waiting.find(({ ms }) => ms === 50)?.fire()
    await asked.promise
    const syncing = page.sync()
    answered.resolve()
    expect(await syncing).toMatchObject({ rejected: ['note'] })
  })
})
