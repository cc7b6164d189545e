// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { type TakenLink, takeLink } from '../../src/client/link.ts'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { BinsError } from '../../src/core/error.ts'
import { openTimers } from '../support/clock.ts'
import { openProfile } from '../support/pages/page.ts'
import {
  type Answer,
  bins,
  losingAnswers,
  offline,
  openGate,
  portal,
  setUp,
} from '../support/pages/page-sync.ts'
import { fetchWith, ORIGIN, requestWith, take } from '../support/sites/http.ts'

/** Opens a page at an address, and takes its link. */
function openAt(address: string, definitions = bins) {
  return openProfile().run(() => {
    history.replaceState({ of: 'the page' }, '', address)
    const link = takeLink(definitions)
    return { link, address: location.href, state: history.state }
  })
}

/** A browser with a note, and a link of it for another browser. */
async function setUpLink({ note = 'of the laptop' } = {}) {
  const site = setUp()
  const laptop = await site.openPage()
  laptop.set('note', note)
  await laptop.sync()
  const state = await site.server.open(requestWith(site.profile.jar))
  const url = await state.link('/')
  take(site.profile.jar, await state.save(new Headers()))
  const profile = openProfile()
  const network = { answer: site.server.fetch as Answer }
  const requests: string[] = []
  const fetch = fetchWith(profile.jar, (request) => {
    requests.push(new URL(request.url).pathname)
    return network.answer(request)
  })
  const options = { clock: site.clock, timer: openTimers().start, random: () => 0.5, fetch }
  const link = profile.run(() => {
    history.replaceState(null, '', url)
    return takeLink(bins)
  }) as TakenLink
  const openPhone = () => profile.open(bins, options)
  return { ...site, laptop, url, link, openPhone, phoneNetwork: network, phoneRequests: requests }
}

describe('takeLink', () => {
  it('takes the link out of the address, and nothing else', () => {
    const { link, address, state } = openAt('/cart?a=b#bb-link=token')
    expect(link).toBeDefined()
    expect([address, state]).toEqual([`${ORIGIN}/cart?a=b`, { of: 'the page' }])
  })

  it.each(['/', '/#top', '/?bb-link=token', '/#other-link=token', '/#x-bb-link=token'])(
    'leaves %s as it is',
    (path) => {
      const { link, address } = openAt(path)
      expect([link, address]).toEqual([undefined, ORIGIN + path])
    },
  )

  it('knows those of its own bins', () => {
    const others = defineBins({ note: {} }, { cookie: { prefix: 'shop' } })
    expect(openAt('/#shop-link=token', others as never).link).toBeDefined()
    expect(openAt('/#bb-link=token', others as never).link).toBeUndefined()
  })

  it('holds no token that could be read', async () => {
    const { url, link } = await setUpLink()
    const [, secret = ''] = url.split('.')
    expect(JSON.stringify(link) + Object.values(link).map(String)).not.toContain(secret)
  })
})

describe('a link that is accepted', () => {
  it('shows what the other device has, and both follow each other', async () => {
    const { laptop, link, openPhone } = await setUpLink()
    const phone = await openPhone()
    expect(phone.get('note')).toBeUndefined()
    expect(await link.accept(phone)).toBe('accepted')
    expect(phone.get('note')).toBe('of the laptop')
    phone.set('note', 'of the phone')
    await phone.sync()
    await laptop.sync()
    expect(laptop.get('note')).toBe('of the phone')
    const again = await openPhone()
    await again.sync()
    expect(again.get('note')).toBe('of the phone')
  })

  it('is used once, however often somebody clicks', async () => {
    const { link, openPhone, phoneRequests } = await setUpLink()
    const phone = await openPhone()
    const outcomes = await Promise.all([link.accept(phone), link.accept(phone), link.accept(phone)])
    expect(outcomes).toEqual(['accepted', 'accepted', 'accepted'])
    expect(phoneRequests.filter((path) => path === '/bins/link')).toHaveLength(1)
  })

  it('does not take the place of what this device holds, sent or not', async () => {
    const { link, openPhone } = await setUpLink()
    const phone = await openPhone()
    phone.set('note', 'of the phone')
    expect(await link.accept(phone)).toBe('has-data')
    expect(phone.get('note')).toBe('of the phone')
    const again = await openPhone()
    await again.sync()
    expect(again.get('note')).toBe('of the phone')
  })

  it('takes it along when it is to be merged, by the rules of the bins', async () => {
    const { laptop, link, openPhone, clock } = await setUpLink()
    laptop.set('count', 5)
    await laptop.sync()
    const phone = await openPhone()
    clock.advance(1)
    phone.set('count', 2)
    phone.set('other', 'of the phone')
    phone.set('note', 'of the phone')
    expect(await link.accept(phone)).toBe('has-data')
    expect(await link.accept(phone, { merge: true })).toBe('accepted')
    await laptop.sync()
    for (const page of [phone, laptop]) {
      expect([page.get('count'), page.get('other'), page.get('note')]).toEqual([
        7,
        'of the phone',
        'of the phone',
      ])
    }
  })

  it('leaves with this device what it edits meanwhile', async () => {
    const { laptop, link, openPhone, phoneNetwork, server } = await setUpLink()
    const phone = await openPhone()
    phone.set('other', 'of the phone')
    await phone.sync()
    phone.set('other', null)
    const gate = openGate<void>()
    const asked = openGate<void>()
    phoneNetwork.answer = async (request) => {
      if (!request.url.endsWith('/link')) return server.fetch(request)
      asked.resolve()
      await gate.promise
      return server.fetch(request)
    }
    const accepting = link.accept(phone)
    await asked.promise
    phone.set('note', 'of the phone')
    gate.resolve()
    expect(await accepting).toBe('accepted')
    await laptop.sync()
    expect([phone.get('note'), laptop.get('note')]).toEqual(['of the laptop', 'of the laptop'])
  })
})

describe('a link that cannot be used', () => {
  it('is gone when it was used, or is over, or was never one', async () => {
    const { link, openPhone, clock } = await setUpLink()
    clock.advance(600_000)
    expect(await link.accept(await openPhone())).toBe('gone')
    const { openPhone: open } = await setUpLink()
    const other = openProfile()
    const unknown = other.run(() => {
      history.replaceState(null, '', '/#bb-link=x')
      return takeLink(bins)
    })
    expect(await unknown?.accept(await open())).toBe('gone')
  })

  it.each<[string, Answer]>([
    ['nobody is reached', offline],
    ['a captive portal answers', portal],
    ['the path is not there', async () => Response.json({ error: 'not-found' }, { status: 404 })],
    ['something else refuses it', async () => new Response('no', { status: 409 })],
    ['the store is down', async () => Response.json({ error: 'unavailable' }, { status: 503 })],
    ['who is logged in is not known', async () => Response.json({ error: 'unknown-user' }, { status: 401 })],
  ])('can be tried again when %s', async (_, answer) => {
    const { link, url, openPhone, phoneNetwork, server } = await setUpLink()
    const phone = await openPhone()
    phoneNetwork.answer = (request) =>
      request.url.endsWith('/link') ? answer(request) : server.fetch(request)
    const error: unknown = await link.accept(phone).catch((reason) => reason)
    expect(error).toBeInstanceOf(BinsError)
    expect(error).toMatchObject({ code: 'SYNC_FAILED' })
    const [, secret = ''] = url.split('.')
    expect(String(error) + String((error as BinsError).cause)).not.toContain(secret)
    phoneNetwork.answer = server.fetch
    expect(await link.accept(phone)).toBe('accepted')
    expect(phone.get('note')).toBe('of the laptop')
  })

  it('waits until what is on this device was sent', async () => {
    const { link, openPhone, phoneNetwork, phoneRequests } = await setUpLink()
    const phone = await openPhone()
    phoneNetwork.answer = offline
    phone.set('note', 'of the phone')
    await expect(link.accept(phone, { merge: true })).rejects.toMatchObject({ code: 'SYNC_FAILED' })
    expect(phoneRequests).not.toContain('/bins/link')
    expect(phone.get('note')).toBe('of the phone')
  })

  it('merges once although the answer gets lost', async () => {
    const { laptop, link, openPhone, phoneNetwork, server } = await setUpLink()
    laptop.set('count', 5)
    await laptop.sync()
    const phone = await openPhone()
    phone.set('count', 2)
    const losing = losingAnswers(server.fetch)
    phoneNetwork.answer = (request) =>
      request.url.endsWith('/link') ? losing(request) : server.fetch(request)
    await expect(link.accept(phone, { merge: true })).rejects.toMatchObject({ code: 'SYNC_FAILED' })
    phoneNetwork.answer = server.fetch
    expect(await link.accept(phone, { merge: true })).toBe('accepted')
    await laptop.sync()
    expect([phone.get('count'), laptop.get('count')]).toEqual([7, 7])
  })
})
