// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { idle, losingAnswers, offline, openGate, settled, setUp } from '../../support/pages/page-sync.ts'

describe('pages that edit at once', () => {
  it('do not count an edit twice whose answer was lost', async () => {
    const { openPage, network, server, inRequest, onServer } = setUp()
    await inRequest((state) => state.set('count', 10))
    const page = await openPage()
    await settled(page)
    await page.update('count', (count) => count + 1)
    network.answer = losingAnswers(server.fetch)
    await expect(page.sync()).rejects.toMatchObject({ code: 'SYNC_FAILED' })
    expect(await onServer('count')).toBe(11)
    await inRequest((state) => state.set('count', 111))
    await page.update('count', (count) => count + 1_000)
    network.answer = server.fetch
    await page.sync()
    expect(await onServer('count')).toBe(1_111)
    expect(page.get('count')).toBe(1_111)
  })

  it('do not count an edit twice that a page made on a bin it had never pulled', async () => {
    const { openPage, network, server, onServer } = setUp()
    const page = await openPage()
    page.set('count', 1)
    await page.sync()
    const other = await openPage()
    network.answer = losingAnswers(server.fetch)
    await other.update('count', (count) => count + 10)
    await other.sync().catch(() => {})
    network.answer = server.fetch
    await other.sync()
    await page.sync()
    expect([page.get('count'), other.get('count'), await onServer('count')]).toEqual([11, 11, 11])
  })

  it('end with the same data', async () => {
    const { openPage, network, server, onServer } = setUp()
    const one = await openPage()
    one.set('count', 1)
    one.set('note', 'one')
    await one.sync()
    const two = await openPage()
    await settled(two)
    network.answer = offline
    await one.update('count', (count) => count + 10)
    one.set('other', 'of one')
    await two.update('count', (count) => count + 100)
    two.set('note', null)
    network.answer = server.fetch
    await one.sync()
    await two.sync()
    await one.sync()
    for (const page of [one, two]) {
      expect([page.get('count'), page.get('note'), page.get('other')]).toEqual([111, undefined, 'of one'])
      expect(page.status().pending).toBe(0)
    }
    expect(await onServer('count')).toBe(111)
  })

  it('do not overwrite what they have never pulled', async () => {
    const { openPage, inRequest, onServer } = setUp()
    await inRequest((state) => state.set('note', 'theirs'))
    const page = await openPage({ fetch: () => Promise.reject(new TypeError('Failed to fetch')) })
    await settled(page)
    expect([page.loaded('note'), page.has('note')]).toEqual([false, false])
    await page.close()

    const late = await openPage()
    late.set('note', 'mine')
    expect([late.loaded('note'), late.get('note')]).toEqual([true, 'mine'])
    await settled(late)
    await late.sync()
    expect(late.get('note')).toBe('theirs')
    expect(late.rejected('note')).toMatchObject({ data: 'mine' })
    expect(await onServer('note')).toBe('theirs')
    await late.retry('note')
    await late.sync()
    expect(await onServer('note')).toBe('mine')
    expect(late.rejected('note')).toBeUndefined()
  })

  it('forget a refused edit that was given up', async () => {
    const { openPage, inRequest } = setUp()
    await inRequest((state) => state.set('note', 'theirs'))
    const page = await openPage()
    page.set('note', null)
    await settled(page)
    await page.sync()
    expect(page.rejected('note')).toMatchObject({ data: null })
    await page.discard('note')
    expect(page.rejected('note')).toBeUndefined()
    expect(page.get('note')).toBe('theirs')
  })

  it('run an update again on what the server has', async () => {
    const { openPage, inRequest, onServer } = setUp()
    await inRequest((state) => state.set('note', 'a'))
    const page = await openPage()
    await settled(page)
    await page.update('note', (note) => `${note}-mine`)
    await page.update('note', (note) => `${note}-too`)
    await inRequest((state) => state.set('note', 'b'))
    expect(await page.sync()).toMatchObject({ merged: ['note'] })
    expect(page.get('note')).toBe('b-mine-too')
    expect(await onServer('note')).toBe('b-mine-too')
  })

  it('count each of many updates once, however often they conflict', async () => {
    const { openPage, onServer } = setUp()
    const first = await openPage()
    await first.update('count', (count) => count + 1)
    await first.sync()
    const pages = await Promise.all(Array.from({ length: 4 }, () => openPage()))
    for (const page of pages) {
      await settled(page)
      for (let update = 0; update < 5; update += 1) await page.update('count', (count) => count + 1)
    }
    await Promise.all(pages.map((page) => page.sync()))
    expect(await onServer('count')).toBe(21)
  })

  it('wait for a first answer if they are told to, and not for longer', async () => {
    const { openPage, inRequest, network, server, timers } = setUp()
    await inRequest((state) => state.set('note', 'text'))
    const page = await openPage({ wait: 1_000 })
    expect([page.loaded('note'), page.get('note')]).toEqual([true, 'text'])

    const { promise, resolve } = openGate<void>()
    network.answer = async (request) => {
      await promise
      return server.fetch(request)
    }
    const opening = openPage({ wait: 1_000 })
    await idle()
    timers.waiting.find(({ ms }) => ms === 1_000)?.fire()
    const impatient = await opening
    expect([impatient.loaded('note'), impatient.get('note')]).toEqual([false, undefined])
    resolve()
    await settled(impatient)
    expect([impatient.loaded('note'), impatient.get('note')]).toEqual([true, 'text'])
  })
})
