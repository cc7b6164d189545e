import { describe, expect, it } from 'vitest'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import type { AnyRequest } from '../../src/server/http/request-head.ts'
import { serveBins } from '../../src/server/server.ts'
import { requestWith, take } from '../support/sites/http.ts'
import { openSite, SECRETS, valueIn } from '../support/sites/requests.ts'

const bins = defineBins({
  visits: { default: 0 },
  coupon: { storage: 'cookie', browser: 'read', bind: 'visitor' },
  plan: { storage: 'cookie', browser: 'none', bind: 'user' },
  variant: { storage: 'cookie', browser: 'read' },
})

/** The application's own login: a header. */
const user = (request: AnyRequest) => new Headers(request.headers as HeadersInit).get('x-user')

const site = () => openSite(bins, { user })

type Site = ReturnType<typeof site>
type Browser = ReturnType<Site['openBrowser']>

/** Opens the bins of a browser's request for somebody, uses them, and saves. */
async function as<Result>(
  { server }: Site,
  { jar }: Browser,
  who: string,
  use: (state: Awaited<ReturnType<Site['server']['open']>>) => Result,
): Promise<Result> {
  const state = await server.open(requestWith(jar, '/', { headers: who === '' ? {} : { 'x-user': who } }))
  const result = use(state)
  take(jar, await state.save(new Headers()))
  return result
}

/** Gives one browser the cookie of another. */
function copy(name: string, from: Browser, to: Browser): void {
  to.jar.set(`${name}=${valueIn(from.jar, name)}`)
}

describe('a cookie that belongs to a visitor', () => {
  async function withCoupon() {
    const shop = site()
    const [mine, other] = [shop.openBrowser(), shop.openBrowser()]
    for (const browser of [mine, other]) await browser.visit((state) => state.set('visits', 1))
    await mine.visit((state) => state.set('coupon', 'half'))
    return { shop, mine, other }
  }

  it('is theirs, and absent for others', async () => {
    const { shop, mine, other } = await withCoupon()
    copy('bb-coupon', mine, other)
    expect(await mine.visit((state) => [state.has('coupon'), state.get('coupon')])).toEqual([true, 'half'])
    expect(await other.visit((state) => [state.has('coupon'), state.get('coupon')])).toEqual([
      false,
      undefined,
    ])
    expect(shop.events.all.at(-1)).toEqual({ type: 'unreadable', bin: 'coupon', reason: 'tampered' })
  })

  it('is absent for whoever has no visitor cookie, or a made-up one', async () => {
    const { shop, mine } = await withCoupon()
    const nobody = shop.openBrowser()
    copy('bb-coupon', mine, nobody)
    expect(await nobody.visit((state) => state.get('coupon'))).toBeUndefined()
    const [id = ''] = valueIn(mine.jar, '__Host-bb')?.split('.') ?? []
    nobody.jar.set(`__Host-bb=${id}.${'A'.repeat(43)}`)
    expect(await nobody.visit((state) => state.get('coupon'))).toBeUndefined()
  })

  it('is remembered for none but its visitor', async () => {
    const { mine, other } = await withCoupon()
    copy('bb-coupon', mine, other)
    for (let round = 0; round < 3; round += 1) {
      expect(await mine.visit((state) => state.get('coupon'))).toBe('half')
      expect(await other.visit((state) => state.get('coupon'))).toBeUndefined()
    }
  })

  it('survives a rotation of the secret, and goes with the visitor', async () => {
    const { mine } = await withCoupon()
    await mine.visit((state) => state.rotate())
    expect(await mine.visit((state) => state.get('coupon'))).toBe('half')
    const before = valueIn(mine.jar, 'bb-coupon')
    await mine.visit((state) => state.clear())
    await mine.visit((state) => state.set('visits', 1))
    mine.jar.set(`bb-coupon=${before}`)
    expect(await mine.visit((state) => state.get('coupon'))).toBeUndefined()
  })

  it('cannot be set for somebody who is not known', async () => {
    const state = await site().server.open(requestWith(site().openBrowser().jar))
    expect(() => state.set('coupon', 'half')).toThrow(
      expect.objectContaining({ code: 'NO_VISITOR', bin: 'coupon' }),
    )
    state.set('coupon', null)
    await state.update('visits', () => 1)
    state.set('coupon', 'half')
    expect(state.get('coupon')).toBe('half')
  })

  it('has to be opened, as it takes a look into the store', async () => {
    const { shop, mine } = await withCoupon()
    const state = await shop.server.open(requestWith(mine.jar), ['variant'])
    expect(() => state.get('coupon')).toThrow(/"coupon" was not opened/)
    expect(() => state.set('coupon', 'all')).toThrow(/"coupon" was not opened/)
    expect([state.loaded('coupon'), state.loaded('variant')]).toEqual([false, true])
    const opened = await shop.server.open(requestWith(mine.jar), ['coupon'])
    expect(opened.get('coupon')).toBe('half')
  })

  it('does not open as one that belongs to everybody, nor the other way round', async () => {
    const { mine } = await withCoupon()
    await mine.visit((state) => state.set('variant', 'B'))
    const options = { secrets: SECRETS, store: site().store }
    const free = serveBins(defineBins({ coupon: { storage: 'cookie', browser: 'read' } }), options)
    expect((await free.open(requestWith(mine.jar))).get('coupon')).toBeUndefined()
    const bound = serveBins(
      defineBins({ variant: { storage: 'cookie', browser: 'read', bind: 'visitor' } }),
      options,
    )
    expect((await bound.open(requestWith(mine.jar))).get('variant')).toBeUndefined()
  })
})

describe('a cookie that belongs to a user', () => {
  it('is theirs while they are logged in, and nobody else’s on the same computer', async () => {
    const shop = site()
    const browser = shop.openBrowser()
    const plan = (who: string) => as(shop, browser, who, (state) => state.get('plan'))
    await as(shop, browser, 'ada', (state) => state.set('plan', 'gold'))
    expect([await plan('ada'), await plan(''), await plan('bob')]).toEqual(['gold', undefined, undefined])
    expect(await plan('ada')).toBe('gold')
  })

  it('cannot be set while nobody is logged in', async () => {
    const shop = site()
    await expect(
      as(shop, shop.openBrowser(), '', (state) => state.set('plan', 'gold')),
    ).rejects.toMatchObject({
      code: 'NO_VISITOR',
      message: expect.stringContaining('nobody is logged in'),
    })
  })

  it('needs to know who is logged in', () => {
    expect(() => serveBins(bins, { secrets: SECRETS })).toThrow(/^bin "plan": .*serveBins\(\{ user \}\)/)
  })
})
