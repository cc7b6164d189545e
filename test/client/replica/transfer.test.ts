// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { MINUTE, openTimers } from '../../support/clock.ts'
import { openProfile } from '../../support/pages/page.ts'
import { bins, idle, offline, openGate, portal, settled, setUp } from '../../support/pages/page-sync.ts'
import { fetchWith } from '../../support/sites/http.ts'

describe('a visitor who is cleared', () => {
  it('is erased on the server, and a new one with the next edit', async () => {
    const { openPage, profile, onServer, inRequest } = setUp()
    const page = await openPage()
    page.set('note', 'old')
    await page.sync()
    const former = profile.jar.header()
    await page.clear()
    expect(page.names()).toEqual([])
    expect(profile.jar.header()).toBe('')
    expect(await onServer('note')).toBeUndefined()
    page.set('other', 'new')
    await page.sync()
    expect(profile.jar.header()).not.toBe(former)
    expect([await onServer('note'), await onServer('other')]).toEqual([undefined, 'new'])
    await inRequest((state) => expect(state.names()).toEqual(['other']))
  })

  it('is erased when the server can be reached again, before anything else is sent', async () => {
    const { openPage, profile, network, server, onServer, requests } = setUp()
    const page = await openPage()
    page.set('note', 'old')
    await page.sync()
    const former = profile.jar.header()
    network.answer = offline
    page.set('other', 'not sent')
    await page.clear()
    expect(page.names()).toEqual([])
    page.set('note', 'new')
    requests.length = 0
    network.answer = server.fetch
    await page.sync()
    expect(requests[0]?.url).toBe('https://example.org/bins/clear')
    expect([await onServer('note'), await onServer('other')]).toEqual(['new', undefined])
    const old = await server.open(new Request('https://example.org/', { headers: { cookie: former } }))
    expect(old.names()).toEqual([])
  })

  it('is the only one that is: not the one whose cookies came in between', async () => {
    const { openPage, profile, network, server, clock, onServer } = setUp()
    const page = await openPage()
    page.set('note', 'of one')
    await page.sync()
    network.answer = offline
    await page.clear()
    const other = openProfile()
    const fetch = fetchWith(other.jar, server.fetch)
    const elsewhere = await other.open(bins, { clock, timer: openTimers().start, fetch })
    elsewhere.set('note', 'of two')
    await elsewhere.sync()
    for (const pair of other.jar.header().split('; ')) profile.jar.set(`${pair}; Path=/`)
    network.answer = server.fetch
    await page.sync()
    expect(await onServer('note')).toBe('of two')
    expect(page.get('note')).toBe('of two')
  })

  it('is not taken for erased where a captive portal answered', async () => {
    const { openPage, network, server, onServer } = setUp()
    const page = await openPage()
    page.set('note', 'old')
    await page.sync()
    network.answer = portal
    await page.clear()
    expect(page.has('note')).toBe(false)
    network.answer = server.fetch
    expect(await onServer('note')).toBe('old')
    await page.sync()
    expect(await onServer('note')).toBeUndefined()
  })

  it.each(['at once', 'late'])(
    'does not come back with an answer that was on its way, and came %s',
    async (when) => {
      const { openPage, inRequest, network, server, onServer } = setUp()
      await inRequest((state) => state.set('note', 'old'))
      const { promise, resolve } = openGate<void>()
      network.answer = async (request) => {
        const response = await server.fetch(request)
        if (request.url.endsWith('/sync')) await promise
        return response
      }
      const page = await openPage()
      const heard: unknown[] = []
      page.subscribe('note', (note) => heard.push(note))
      await idle()
      const clearing = page.clear()
      if (when === 'late') await idle()
      resolve()
      await clearing
      await settled(page)
      expect([heard, page.names()]).toEqual([[undefined], []])
      expect(await onServer('note')).toBeUndefined()
      await page.sync()
      expect([heard, page.names()]).toEqual([[undefined], []])
    },
  )

  it('is erased at once, also while another exchange is running', async () => {
    const { openPage, inRequest, network, server, onServer } = setUp()
    await inRequest((state) => state.set('note', 'old'))
    const { promise, resolve } = openGate<void>()
    network.answer = async (request) => {
      await promise
      return server.fetch(request)
    }
    const page = await openPage()
    const clearing = page.clear()
    resolve()
    await clearing
    expect(await onServer('note')).toBeUndefined()
  })

  it('loses the edits of other pages that are older, and keeps those that are newer', async () => {
    const { openPage, network, server, clock, onServer, profile } = setUp()
    const one = await openPage()
    one.set('note', 'old')
    await one.sync()
    const two = await openPage()
    await settled(two)
    const cookies = profile.jar.header()
    network.answer = offline
    two.set('note', 'before')
    clock.advance(MINUTE)
    network.answer = server.fetch
    await one.clear()
    clock.advance(MINUTE)
    network.answer = offline
    two.set('other', 'after')
    network.answer = server.fetch
    // As in another browser profile, or where the answer with the deletions was lost.
    for (const pair of cookies.split('; ')) profile.jar.set(`${pair}; Path=/`)
    await two.sync()
    expect([two.get('note'), two.get('other')]).toEqual([undefined, 'after'])
    expect([await onServer('note'), await onServer('other')]).toEqual([undefined, 'after'])
    expect(profile.jar.header()).not.toBe(cookies)
  })

  it('is a new one where the server has forgotten it, and keeps its edits', async () => {
    const { openPage, network, clock, onServer } = setUp()
    const page = await openPage()
    page.set('note', 'old')
    await page.sync()
    const fresh = serveBins(bins, { store: memoryStore(), clock })
    network.answer = fresh.fetch
    page.set('other', 'new')
    await page.sync()
    expect(page.status()).toMatchObject({ phase: 'idle', pending: 0 })
    expect([page.get('note'), page.get('other')]).toEqual([undefined, 'new'])
    expect(await onServer('other')).toBeUndefined()
  })
})

describe('a page whose visitor is another one now', () => {
  it('shows the bins of the one that the cookies speak of', async () => {
    const { openPage, profile, server, clock, onServer } = setUp()
    const page = await openPage()
    page.set('note', 'of one')
    await page.sync()
    const other = openProfile()
    const fetch = fetchWith(other.jar, server.fetch)
    const elsewhere = await other.open(bins, { clock, timer: openTimers().start, fetch })
    elsewhere.set('note', 'of two')
    await elsewhere.sync()
    for (const pair of other.jar.header().split('; ')) profile.jar.set(`${pair}; Path=/; Secure`)
    await page.sync()
    expect(page.get('note')).toBe('of two')
    page.set('other', 'of two')
    await page.sync()
    expect(await onServer('other')).toBe('of two')
  })

  it('sends nothing of one visitor to another', async () => {
    const { openPage, profile, network, server, inRequest, onServer } = setUp()
    const page = await openPage()
    page.set('note', 'of one')
    await page.sync()
    network.answer = offline
    page.set('other', 'for one only')
    network.answer = server.fetch
    profile.jar.set('__Host-bb=; Path=/; Secure; Max-Age=0')
    profile.jar.set('bb.o=; Path=/; Secure; Max-Age=0')
    await inRequest((state) => state.set('note', 'of two'))
    await page.sync()
    expect([page.get('note'), page.get('other')]).toEqual(['of two', undefined])
    expect(await onServer('other')).toBeUndefined()
  })

  it('goes on where the two cookies contradict each other', async () => {
    const { openPage, profile, onServer } = setUp()
    const page = await openPage()
    page.set('note', 'text')
    await page.sync()
    profile.jar.set('bb.o=somebodyelse1234; Path=/; Secure')
    page.set('note', 'more')
    expect(await page.sync()).toMatchObject({ accepted: ['note'] })
    expect([await onServer('note'), page.status().problem]).toEqual(['more', undefined])
  })

  it('brings along the edits that were made before there was a visitor', async () => {
    const { openPage, inRequest, network, server, onServer } = setUp()
    network.answer = offline
    const page = await openPage()
    page.set('note', 'mine')
    await page.update('count', (count) => count + 1)
    await inRequest((state) => state.set('count', 10))
    network.answer = server.fetch
    await page.sync()
    expect([page.get('note'), page.get('count')]).toEqual(['mine', 11])
    expect([await onServer('note'), await onServer('count')]).toEqual(['mine', 11])
  })
})
