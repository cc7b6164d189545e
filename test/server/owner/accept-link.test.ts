import { afterEach, describe, expect, it } from 'vitest'
import type { ServerOptions } from '../../../src/server/options.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import { layeredStore } from '../../../src/stores/layered.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { type FaultyStore, faultyStore } from '../../../src/testing/faulty-store.ts'
import { openDice } from '../../simulator/world/dice.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../../support/clock.ts'
import { type LinkDevice, type linkBins, openLinkSite } from '../../support/sites/link-site.ts'
import { slowStore } from '../../support/sites/requests.ts'

type State = ServerBins<typeof linkBins>
type Site = Awaited<ReturnType<typeof openLinkSite>>

const ACCEPTED = { status: 200, text: '{"v":1}', cookies: ['bb', 'bb.o'] }
const GONE = { status: 404, text: '{"error":"gone"}', cookies: [] }

const get = (name: 'cart' | 'note' | 'plan' | 'saved' | 'tab') => (state: State) => state.get(name) ?? null
const put =
  (...cart: string[]) =>
  (state: State) =>
    state.set('cart', cart)
const add = (item: string) => (state: State) => state.update('cart', (cart = []) => [...cart, item])
const link = (state: State) => state.link('/cart')

const sites: Site[] = []

async function open(options?: ServerOptions): Promise<Site> {
  const site = await openLinkSite(options)
  sites.push(site)
  return site
}

/** Two devices that are one visitor. */
async function openPair(options?: ServerOptions) {
  const site = await open(options)
  const [laptop, phone] = [site.openDevice(), site.openDevice()]
  await laptop.visit(put('tea'))
  expect(await phone.accept(await laptop.visit(link))).toEqual(ACCEPTED)
  return { ...site, laptop, phone }
}

/** Two devices with carts of their own, and a link of the first one. */
async function openStrangers(options?: ServerOptions) {
  const site = await open(options)
  const [laptop, phone] = [site.openDevice(), site.openDevice()]
  await laptop.visit(put('tea'))
  await phone.visit(put('milk'))
  return { ...site, laptop, phone, url: await laptop.visit(link) }
}

afterEach(async () => {
  for (const site of sites.splice(0)) await site.close()
})

describe('a link', () => {
  it('makes another device the same visitor, with a secret of its own', async () => {
    const { laptop, phone } = await openPair()
    expect(await phone.visit(get('cart'))).toEqual(['tea'])
    await phone.visit(add('milk'))
    await laptop.visit(add('rye'))
    for (const device of [laptop, phone])
      expect(await device.visit(get('cart'))).toEqual(['tea', 'milk', 'rye'])
    expect(phone.tag()).toBe(laptop.tag())
    const [[id, secret], [otherId, otherSecret]] = [laptop.token().split('.'), phone.token().split('.')]
    expect([otherId, otherSecret === secret]).toEqual([id, false])
  })

  it('makes the visitor, if there is none, and that is kept as long as the link', async () => {
    const { openDevice, clock } = await open()
    const [laptop, phone] = [openDevice(), openDevice()]
    const url = await laptop.visit((state) => state.link('/cart', { maxAge: '1d' }))
    expect(laptop.token()).not.toBe('')
    clock.advance(DAY - SECOND)
    expect(await phone.accept(url)).toEqual(ACCEPTED)
    await phone.visit(put('tea'))
    expect(await laptop.visit(get('cart'))).toEqual(['tea'])
  })

  it('leads to a page of the site, with its secret in the fragment', async () => {
    const { openDevice, url } = await open()
    const device = openDevice()
    const secret = '#bb-link=[\\w-]{22}\\.[\\w-]{43}$'
    for (const page of ['/cart?a=b', 'cart', '', '?a', `${url}/cart`]) {
      const made = await device.visit((state) => state.link(page))
      expect(made.replace(new RegExp(secret), '')).toBe(page)
    }
    const made = await device.visit((state) => state.link(new URL('/cart', url)))
    expect(made).toMatch(new RegExp(`^${url}/cart${secret}`))
    expect(made).not.toContain(device.token())
  })

  it.each([
    '//evil.example/',
    'https://evil.example/',
    '\\\\evil.example',
    'https:\\\\evil.example',
    'javascript:alert(1)',
    'http://127.0.0.1/',
    'https://[',
    '/cart#top',
    '/cart#',
  ])('is not made for %j', async (url) => {
    const { openDevice } = await open()
    const device = openDevice()
    const error = await device.visit((state) => state.link(url).catch((reason) => reason.constructor.name))
    expect([error, device.token()]).toEqual(['TypeError', ''])
  })

  it('leads to a further origin of the site', async () => {
    const { openDevice } = await open({ origins: ['https://app.example.org'] })
    const made = await openDevice().visit((state) => state.link('https://app.example.org/cart'))
    expect(made).toMatch(/^https:\/\/app\.example\.org\/cart#bb-link=/)
  })

  it.each(['1.1d', 86_401, 0, -1, 'soon', 'session'])('is not made for %j', async (maxAge) => {
    const { openDevice } = await open()
    const error = await openDevice().visit((state) =>
      state.link('/', { maxAge: maxAge as number }).catch((reason) => reason.constructor.name),
    )
    expect(error).toBe('TypeError')
  })

  it('is in no cache', async () => {
    const { server, laptop } = await openPair()
    const headers = { cookie: laptop.jar.header() }
    const response = await server.handle(new Request('http://localhost/', { headers }), async (state) => {
      return Response.json(await state.link('/'), { headers: { 'cache-control': 'max-age=60' } })
    })
    expect(response.headers.get('cache-control')).toBe('private, no-store')
    expect(response.headers.getSetCookie()).toEqual([])
  })

  it('needs a response that can take the cookies', async () => {
    const { server } = await open()
    let state: State | undefined
    await server.handle(new Request('https://example.org/'), (opened) => {
      state = opened
      return new Response()
    })
    expect(await state?.link('/').catch(({ code }) => code)).toBe('HEAD_SENT')
  })

  it('can be used once', async () => {
    const { laptop, phone, openDevice, events } = await openPair()
    const url = await laptop.visit(link)
    const tablet = openDevice()
    expect(await tablet.accept(url)).toEqual(ACCEPTED)
    expect(events.types).toEqual([])
    expect(await openDevice().accept(url)).toEqual(GONE)
    expect(events.all).toEqual([{ type: 'unknown-link' }])
    for (const device of [laptop, phone, tablet]) expect(await device.visit(get('cart'))).toEqual(['tea'])
  })

  it('is used by one of two devices that come at the same moment', async () => {
    const { laptop, openDevice } = await openPair({ store: slowStore(memoryStore()) })
    const url = await laptop.visit(link)
    const devices = Array.from({ length: 4 }, openDevice)
    const statuses = await Promise.all(devices.map(async (device) => (await device.accept(url)).status))
    expect(statuses.sort()).toEqual([200, 404, 404, 404])
    const seen = await Promise.all(devices.map((device) => device.visit(get('cart'))))
    expect(seen.filter((cart) => cart !== null)).toEqual([['tea']])
  })

  it('can be used for 10 minutes', async () => {
    const { laptop, openDevice, clock } = await openPair()
    const [first, second] = [await laptop.visit(link), await laptop.visit(link)]
    clock.advance(10 * MINUTE - 1)
    expect(await openDevice().accept(first)).toEqual(ACCEPTED)
    clock.advance(1)
    expect(await openDevice().accept(second)).toEqual(GONE)
  })

  it('can be used as long as it says', async () => {
    const { laptop, openDevice, clock } = await openPair()
    const url = await laptop.visit((state) => state.link('/', { maxAge: '1h' }))
    clock.advance(HOUR - 1)
    expect(await openDevice().accept(url)).toEqual(ACCEPTED)
    const late = await laptop.visit((state) => state.link('/', { maxAge: '1h' }))
    clock.advance(HOUR)
    expect(await openDevice().accept(late)).toEqual(GONE)
  })

  it('opens nothing any more when the visitor is as old as one can be', async () => {
    const { laptop, openDevice, clock } = await openPair({ visitorAge: '1d' })
    clock.advance(DAY - MINUTE)
    const [first, second] = [await laptop.visit(link), await laptop.visit(link)]
    expect(await openDevice().accept(first)).toEqual(ACCEPTED)
    clock.advance(MINUTE)
    expect(await openDevice().accept(second)).toEqual(GONE)
  })

  it('opens nothing with another secret, or another id, and tells not why', async () => {
    const { laptop, openDevice } = await openPair()
    const url = await laptop.visit(link)
    const [id = '', secret = ''] = url.split('=')[1]?.split('.') ?? []
    const [, own = ''] = laptop.token().split('.')
    const other = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1)
    for (const token of [
      `${id}.${other(secret)}`,
      `${other(id)}.${secret}`,
      `${id}.${own}`,
      `${id}.${secret.slice(0, -1)}`,
      id,
      '',
      `${id}.${secret}.`,
    ])
      expect(await openDevice().accept(`#bb-link=${token}`)).toEqual(GONE)
    expect(await openDevice().accept(url)).toEqual(ACCEPTED)
  })

  it('gives way to the fifth one', async () => {
    const { laptop, openDevice } = await openPair()
    const urls: string[] = []
    while (urls.length < 5) urls.push(await laptop.visit(link))
    const statuses: number[] = []
    for (const url of urls) statuses.push((await openDevice().accept(url)).status)
    expect(statuses).toEqual([404, 200, 200, 200, 200])
  })

  it('is used up by a device that is the visitor already, and changes nothing there', async () => {
    const { laptop, phone, openDevice } = await openPair()
    const url = await laptop.visit(link)
    const before = phone.jar.header()
    expect(await phone.accept(url)).toEqual({ ...ACCEPTED, cookies: [] })
    expect(phone.jar.header()).toBe(before)
    expect(await openDevice().accept(url)).toEqual(GONE)
  })

  it('can be used in another process, whose cache is older than the link', async () => {
    const back = memoryStore()
    const [one, two] = [
      await open({ store: layeredStore(memoryStore(), back) }),
      await open({ store: layeredStore(memoryStore(), back) }),
    ]
    const [laptop, phone] = [one.openDevice(), two.openDevice()]
    await laptop.visit(put('tea'))
    const first = await laptop.visit(link)
    expect((await phone.accept(first)).status).toBe(200)
    expect(await phone.visit(get('cart'))).toEqual(['tea'])
    const second = await laptop.visit(link)
    const tablet = two.openDevice()
    expect((await tablet.accept(second)).status).toBe(200)
  })
})

describe('a device with bins of its own', () => {
  it('keeps them, and the link can still be used', async () => {
    const { phone, url, dump, openDevice } = await openStrangers()
    const [before, cookies] = [await dump(), phone.jar.header()]
    expect(await phone.accept(url)).toEqual({ status: 409, text: '{"error":"has-data"}', cookies: [] })
    expect([await dump(), phone.jar.header()]).toEqual([before, cookies])
    expect(await openDevice().accept(url)).toEqual(ACCEPTED)
  })

  it('takes them along if it wants to merge them, by each bin’s rule', async () => {
    const { laptop, phone, url, clock } = await openStrangers()
    await laptop.visit((state) => {
      state.set('plan', 'large')
      state.set('note', 'older')
    })
    clock.advance(1)
    await phone.visit((state) => {
      state.set('plan', 'small')
      state.set('note', 'newer')
      state.set('saved', ['book'])
      state.set('tab', 'open')
    })
    expect(await phone.accept(url, { merge: true })).toEqual(ACCEPTED)
    const all = (state: State) => [
      state.get('cart'),
      state.get('plan'),
      state.get('note'),
      state.get('saved'),
    ]
    for (const device of [laptop, phone])
      expect(await device.visit(all)).toEqual([['tea', 'milk'], 'large', 'newer', ['book']])
    expect(await phone.visit(get('tab'))).toBe('open')
  })

  it('is found to have some in whichever store they are', async () => {
    const { laptop, openDevice } = await openPair()
    const tablet = openDevice()
    await tablet.visit((state) => state.set('plan', 'small'))
    expect(await tablet.accept(await laptop.visit(link))).toMatchObject({ status: 409 })
  })

  it('needs not ask when they have expired', async () => {
    const { laptop, phone, url, clock } = await openStrangers()
    expect((await phone.accept(url)).status).toBe(409)
    clock.advance(20 * DAY)
    await laptop.visit(add('rye'))
    clock.advance(11 * DAY)
    expect(phone.token()).not.toBe('')
    expect(await phone.accept(await laptop.visit(link))).toEqual(ACCEPTED)
    expect(await phone.visit(get('cart'))).toEqual(['tea', 'rye'])
  })

  it('leaves them to the other devices of its visitor', async () => {
    const { laptop, phone, url, openDevice } = await openStrangers()
    const tablet = openDevice()
    await tablet.accept(await phone.visit(link))
    expect(await phone.accept(url, { merge: true })).toEqual(ACCEPTED)
    expect(await tablet.visit(get('cart'))).toEqual(['milk'])
    // None of them takes the place of another.
    expect((await tablet.accept(url, { merge: true })).status).toBe(404)
    expect(await tablet.accept(await laptop.visit(link), { merge: true })).toEqual(ACCEPTED)
    for (const device of [laptop, phone, tablet])
      expect(await device.visit(get('cart'))).toEqual(['tea', 'milk'])
  })

  it('merges once, although the answer gets lost and it comes again', async () => {
    const { laptop, phone, url } = await openStrangers()
    const before = phone.jar.header()
    expect(await phone.accept(url, { merge: true, isLost: true })).toEqual(ACCEPTED)
    expect(phone.jar.header()).toBe(before)
    // Without its bins, there is nothing left to ask for; and it is one device, however often it comes.
    for (let times = 0; times < 8; times += 1)
      expect(await phone.accept(url, { isLost: true })).toEqual(ACCEPTED)
    expect(await phone.accept(url, { merge: true })).toEqual(ACCEPTED)
    for (const device of [laptop, phone]) expect(await device.visit(get('cart'))).toEqual(['tea', 'milk'])
  })

  it('merges once, although it comes several times at the same moment', async () => {
    const { laptop, phone, url } = await openStrangers({ store: slowStore(memoryStore()) })
    const replies = await Promise.all([1, 2, 3].map(() => phone.accept(url, { merge: true })))
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200])
    for (const device of [phone, laptop, phone])
      expect(await device.visit(get('cart'))).toEqual(['tea', 'milk'])
  })

  it('is the only one that can come again', async () => {
    const { phone, url, openDevice } = await openStrangers()
    await phone.accept(url, { merge: true, isLost: true })
    const [thief, other] = [openDevice(), openDevice()]
    await other.visit(put('beer'))
    expect(await thief.accept(url)).toEqual(GONE)
    expect(await other.accept(url, { merge: true })).toEqual(GONE)
    expect(await phone.accept(url, { merge: true })).toEqual(ACCEPTED)
  })

  it('can come again as long as the link is good, and until it has arrived', async () => {
    const { phone, url, clock, openDevice } = await openStrangers()
    const former = openDevice()
    for (const pair of phone.jar.header().split('; ')) former.jar.set(`${pair}; Max-Age=1000000`)
    await phone.accept(url, { merge: true })
    await phone.visit((state) => state.rotate())
    expect(await former.accept(url, { merge: true })).toEqual(GONE)
    clock.advance(10 * MINUTE)
    expect(await former.accept(url)).toEqual(GONE)
  })

  it('merges once, whichever call of the store fails', async () => {
    let failures = 0
    const openBoth = async (store: FaultyStore) => {
      const strangers = await openStrangers({ store })
      await strangers.phone.visit((state) => state.set('plan', 'small'))
      return strangers
    }
    const counted = faultyStore(memoryStore())
    await openBoth(counted)
    const before = counted.calls.length
    for (const lost of ['request', 'answer'] as const) {
      for (let failOn = 1; ; failOn += 1) {
        const store = faultyStore(memoryStore(), { failOn: failOn + before, lost })
        const { laptop, phone, url } = await openBoth(store)
        const { status } = await phone.accept(url, { merge: true })
        // The call that fails comes after these.
        if (store.calls.length < before + failOn) break
        if (status !== 200) {
          failures += 1
          // Whoever gets an error has what it had before.
          expect(status).toBe(503)
          expect(await phone.visit(get('cart'))).toContain('milk')
          expect((await phone.accept(url, { merge: true })).status).toBe(200)
        }
        for (const device of [laptop, phone]) {
          expect(await device.visit(get('cart'))).toEqual(['tea', 'milk'])
          expect(await device.visit(get('plan'))).toBe('small')
        }
      }
    }
    expect(failures).toBeGreaterThan(6)
  })

  it('keeps them, and is let in nowhere, if they do not all fit', async () => {
    const { laptop, phone, dump, ...site } = await openStrangers()
    await laptop.visit((state) => state.set('saved', ['x'.repeat(14_000)]))
    await laptop.visit(put('x'.repeat(14_000)))
    await phone.visit(put('y'.repeat(4_000)))
    const url = await laptop.visit(link)
    const before = await dump()
    expect(await phone.accept(url, { merge: true })).toEqual({
      status: 409,
      text: '{"error":"cannot-merge"}',
      cookies: [],
    })
    expect(await dump()).toBe(before)
    expect(await phone.visit(get('cart'))).toEqual(['y'.repeat(4_000)])
    expect(await site.openDevice().accept(url)).toEqual(ACCEPTED)
  })
})

describe('the devices of a visitor', () => {
  const copyOf = (device: LinkDevice, { openDevice }: Site) => {
    const copy = openDevice()
    for (const pair of device.jar.header().split('; ')) copy.jar.set(`${pair}; Max-Age=100000000`)
    return copy
  }

  it('keep their secrets when one of them gets another', async () => {
    const { laptop, phone } = await openPair()
    const [own, other] = [laptop.token(), phone.token()]
    await laptop.visit((state) => state.rotate())
    await laptop.visit(get('cart'))
    expect([laptop.token() === own, phone.token() === other]).toEqual([false, true])
    for (const device of [laptop, phone]) expect(await device.visit(get('cart'))).toEqual(['tea'])
  })

  it('lose nobody when the answer to one of them gets lost, and others come along', async () => {
    const { laptop, phone, clock } = await openPair()
    await laptop.visit((state) => state.rotate(), { isLost: true })
    for (let visits = 0; visits < 6; visits += 1) {
      await phone.visit((state) => state.rotate())
      await phone.visit(get('cart'))
      clock.advance(10 * SECOND)
    }
    expect(await laptop.visit(get('cart'))).toEqual(['tea'])
    clock.advance(DAY)
    expect(await laptop.visit(get('cart'))).toEqual(['tea'])
    expect(await phone.visit(get('cart'))).toEqual(['tea'])
  })

  it('end what somebody has copied from one of them when that one gets another secret', async () => {
    const pair = await openPair()
    const { laptop, phone, clock } = pair
    const thief = copyOf(phone, pair)
    await phone.visit((state) => state.rotate())
    // Not when another one comes.
    await laptop.visit(get('cart'))
    clock.advance(31 * SECOND)
    expect(await thief.visit(get('cart'), { method: 'GET' })).toEqual(['tea'])
    await phone.visit(get('cart'))
    clock.advance(31 * SECOND)
    expect(await thief.visit(get('cart'), { method: 'GET' })).toBeNull()
    for (const device of [laptop, phone]) expect(await device.visit(get('cart'))).toEqual(['tea'])
  })

  it('end when somebody logs in on one of them', async () => {
    const { laptop, phone, clock } = await openPair()
    laptop.logIn('ann')
    await laptop.visit((state) => state.set('saved', ['book']))
    for (const user of [null, 'bob', '?']) {
      phone.logIn(user)
      expect(await phone.visit(get('cart'))).toBeNull()
      expect(await phone.visit(put('mine'))).toBe('GONE')
    }
    expect(await laptop.visit(get('cart'))).toEqual(['tea'])
    clock.advance(2 * MINUTE)
    phone.logIn(null)
    await phone.visit(put('milk'))
    expect(phone.tag()).not.toBe(laptop.tag().split('.')[0])
    expect(await laptop.visit(get('cart'))).toEqual(['tea'])
  })

  it('stay when the same user logs in on both, however late, and each has a secret of its own', async () => {
    const { laptop, phone, clock } = await openPair()
    laptop.logIn('ann')
    await laptop.visit((state) => state.set('saved', ['book']))
    await laptop.visit(get('cart'))
    clock.advance(DAY)
    phone.logIn('ann')
    const [before, ended] = [laptop.token(), phone.token()]
    expect(await phone.visit(get('cart'))).toEqual(['tea'])
    expect(phone.token()).not.toBe(ended)
    expect(phone.tag()).toBe(laptop.tag())
    await phone.visit((state) => state.rotate())
    clock.advance(DAY)
    for (const device of [phone, laptop, phone]) {
      expect(await device.visit((state) => [state.get('cart'), state.get('saved')])).toEqual([
        ['tea'],
        ['book'],
      ])
    }
    expect(laptop.token()).toBe(before)
  })

  it('that a login has ended can come back by another link', async () => {
    const { laptop, phone } = await openPair()
    laptop.logIn('ann')
    await laptop.visit(get('cart'))
    laptop.logIn(null)
    await laptop.visit(get('cart'))
    expect(await phone.visit(get('cart'))).toBeNull()
    expect(await phone.accept(await laptop.visit(link))).toEqual(ACCEPTED)
    expect(await phone.visit(get('cart'))).toEqual(['tea'])
  })

  it('that a login has ended are not those of the next user', async () => {
    const { laptop, phone } = await openPair()
    laptop.logIn('ann')
    await laptop.visit(get('cart'))
    laptop.logIn('bob')
    await laptop.visit(get('cart'))
    for (const user of ['ann', 'bob', null]) {
      phone.logIn(user)
      expect(await phone.visit(get('cart'))).toBeNull()
    }
    expect(await laptop.visit(get('cart'))).toEqual(['tea'])
  })

  it('all end with the visitor', async () => {
    const { laptop, phone, openDevice } = await openPair()
    const url = await laptop.visit(link)
    await phone.visit((state) => state.clear())
    expect(await laptop.visit(get('cart'))).toBeNull()
    expect(await openDevice().accept(url)).toEqual(GONE)
  })

  it('all lose the user’s bins when the user revokes them, and links too', async () => {
    const { laptop, phone, server, openDevice } = await openPair()
    for (const device of [laptop, phone]) {
      device.logIn('ann')
      await device.visit((state) => state.set('saved', ['book']))
    }
    const url = await laptop.visit(link)
    await server.revoke('ann')
    for (const device of [laptop, phone]) {
      expect(await device.visit(get('saved'))).toBeNull()
      expect(await device.visit(link)).toBe('GONE')
    }
    const tablet = openDevice()
    tablet.logIn('ann')
    expect(await tablet.accept(url)).toMatchObject({ status: 404, text: GONE.text })
  })

  it('are eight at most, and one whose cookie has ended is none any more', async () => {
    const { laptop, phone, openDevice, clock } = await openPair()
    const accept = async (device: LinkDevice) => device.accept(await laptop.visit(link))
    const others = Array.from({ length: 6 }, openDevice)
    for (const device of others) expect(await accept(device)).toEqual(ACCEPTED)
    const ninth = openDevice()
    expect(await accept(ninth)).toEqual({ status: 409, text: '{"error":"too-many-devices"}', cookies: [] })
    expect(await ninth.visit(get('cart'))).toBeNull()
    for (let days = 0; days < 40; days += 10) {
      clock.advance(10 * DAY)
      for (const device of [laptop, phone]) await device.visit(add('day'))
    }
    expect(others.map((device) => device.token())).toEqual(others.map(() => ''))
    for (let count = 0; count < 6; count += 1) expect(await accept(openDevice())).toEqual(ACCEPTED)
    expect((await accept(ninth)).status).toBe(409)
    for (const device of [laptop, phone]) expect(await device.visit(get('cart'))).toHaveLength(9)
  })

  it('stay as long as the bins do, also those that do nothing but read', async () => {
    const { laptop, phone, clock } = await openPair()
    for (let days = 0; days < 100; days += 5) {
      clock.advance(5 * DAY)
      await laptop.visit(put(`day ${days}`))
      expect(await phone.visit(get('cart'))).toEqual([`day ${days}`])
    }
  })

  it('stay one visitor when one of them deletes all that there is', async () => {
    const { laptop, phone } = await openPair()
    await laptop.visit((state) => state.set('cart', null))
    await phone.visit(put('milk'))
    expect(await laptop.visit(get('cart'))).toEqual(['milk'])
  })

  it('are one visitor although the first one deletes all that there is before the second one comes', async () => {
    const { openDevice } = await open()
    const [laptop, phone] = [openDevice(), openDevice()]
    await laptop.visit(put('tea'))
    const url = await laptop.visit(link)
    await laptop.visit((state) => state.set('cart', null))
    expect(await phone.accept(url)).toEqual(ACCEPTED)
    await phone.visit(put('milk'))
    expect(await laptop.visit(get('cart'))).toEqual(['milk'])
  })
})

describe('a link and who is logged in', () => {
  it('is for devices on which the same user is logged in, or nobody', async () => {
    const { laptop, openDevice, dump } = await openPair()
    const phone = openDevice()
    phone.logIn('ann')
    const url = await laptop.visit(link)
    const before = await dump()
    const refusal = { status: 409, text: '{"error":"other-user"}' }
    expect(await phone.accept(url)).toMatchObject(refusal)
    phone.logIn('?')
    expect(await phone.accept(url)).toEqual({ status: 401, text: '{"error":"unknown-user"}', cookies: [] })
    expect(await dump()).toBe(before)
    laptop.logIn('ann')
    await laptop.visit((state) => state.set('saved', ['book']))
    const own = await laptop.visit(link)
    for (const user of [null, 'bob']) {
      phone.logIn(user)
      expect(await phone.accept(own)).toMatchObject(refusal)
    }
    phone.logIn('ann')
    expect((await phone.accept(own)).status).toBe(200)
    for (const device of [laptop, phone])
      expect(await device.visit((state) => [state.get('cart'), state.get('saved')])).toEqual([
        ['tea'],
        ['book'],
      ])
    expect(phone.tag()).toBe(laptop.tag())
  })

  it.each([
    ['a login', 'ann', null],
    ['a logout', null, 'ann'],
  ])('ends with %s', async (_, user, before) => {
    const { laptop, openDevice } = await openPair()
    laptop.logIn(before)
    await laptop.visit(get('cart'))
    const url = await laptop.visit(link)
    laptop.logIn(user)
    await laptop.visit(get('cart'))
    for (const phone of [openDevice(), openDevice()]) {
      phone.logIn(user)
      expect((await phone.accept(url)).status).toBe(404)
    }
  })
})

describe('devices that use links at random', () => {
  /** What should be known of a visitor. */
  interface Visitor {
    readonly items: Set<string>
    isShared: boolean
  }

  /** What should be known of a link. */
  interface Made {
    readonly url: string
    readonly of: Visitor
    readonly until: number
    usedBy?: Visitor
  }

  it.each(Array.from({ length: 12 }, (_, seed) => seed + 1))('lose nothing (seed %i)', async (seed) => {
    const { openDevice, clock } = await open()
    const dice = openDice(seed, 'links')
    const made: Made[] = []
    const devices = Array.from({ length: 4 }, (_, index) => {
      const visitor: Visitor = { items: new Set([`item of ${index}`]), isShared: false }
      return { ...openDevice(), visitor }
    })
    for (const device of devices) await device.visit(put(...device.visitor.items))
    for (let step = 0; step < 60; step += 1) {
      const device = dice.pick(devices)
      const isLost = dice.fraction() < 0.3
      clock.advance(dice.pick([1, SECOND, 40 * SECOND, 2 * MINUTE]))
      const kind = dice.below(5)
      if (kind === 0) {
        made.push({ url: await device.visit(link), of: device.visitor, until: clock() + 10 * MINUTE })
      } else if (kind === 1) {
        await device.visit((state) => state.rotate(), { isLost })
      } else if (kind === 2 || made.length === 0) {
        device.visitor.items.add(`item ${step}`)
        await device.visit(add(`item ${step}`))
      } else {
        const one = dice.pick(made)
        const { visitor: before } = device
        const isOwn = before === one.of
        const merge = dice.fraction() < 0.6
        const { status, text } = await device.accept(one.url, { merge, isLost })
        // It may be one of too many devices, or links; or another device of its visitor has used the link.
        if (text.includes('too-many') || (status === 404 && (made.length > 4 || one.usedBy === before)))
          continue
        const isOpen = one.until > clock() && (!one.usedBy || (one.usedBy === before && !isOwn))
        const answer = !isOwn && before.items.size > 0 && !merge ? 409 : 200
        expect(status).toBe(isOpen ? answer : 404)
        if (status !== 200) continue
        one.usedBy = before
        if (isOwn) continue
        one.of.isShared = true
        for (const item of before.items) one.of.items.add(item)
        const waits = made.some(({ of, until, usedBy }) => of === before && until > clock() && !usedBy)
        if (!before.isShared && !waits) before.items.clear()
        if (!isLost) device.visitor = one.of
      }
    }
    for (const device of devices) {
      expect(new Set(await device.visit((state) => state.get('cart') ?? []))).toEqual(device.visitor.items)
    }
  })
})
