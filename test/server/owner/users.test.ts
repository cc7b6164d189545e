import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { BinsError } from '../../../src/core/error.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { DAY } from '../../support/clock.ts'
import { type CookieJar, NAVIGATION, openCookieJar, requestWith, take } from '../../support/sites/http.ts'
import { openSite, slowStore, valueIn } from '../../support/sites/requests.ts'

const items = z.array(z.string())

const bins = defineBins({
  cart: {
    schema: items,
    browser: 'write',
    scope: 'user',
    merge: (_, mine = [], theirs = []) => [...theirs, ...mine],
  },
  address: { schema: z.string(), browser: 'write', scope: 'user' },
  role: { schema: z.string(), scope: 'user', merge: 'server' },
  saved: { schema: items, scope: 'user', store: 'other', merge: 'fields' },
  seen: { schema: items },
})

type State = ServerBins<typeof bins>

/** Who a test's request says is logged in: a user, nobody, or it is not known. */
type Login = string | null | undefined

const READ = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }

function openUserSite({ store = memoryStore() }: { store?: Store } = {}) {
  const site = openSite(bins, {
    store,
    stores: { other: memoryStore() },
    user: async (request) => {
      const user = new Headers(request.headers as HeadersInit).get('x-user')
      if (user === 'broken') throw new Error('the sessions cannot be read')
      return user === '?' ? undefined : user
    },
    label: (request) => new Headers(request.headers as HeadersInit).get('x-label') ?? undefined,
  })

  function headersOf(user: Login, kind: Record<string, string>): Record<string, string> {
    const said = user === undefined ? '?' : user
    return { ...kind, ...(said === null ? {} : { 'x-user': said }) }
  }

  async function visit<Result>(
    jar: CookieJar,
    user: Login,
    use: (state: State) => Result | Promise<Result>,
    kind: Record<string, string> = NAVIGATION,
  ): Promise<Result> {
    const state = await site.server.open(requestWith(jar, '/', { headers: headersOf(user, kind) }))
    const result = await use(state)
    take(jar, await state.save(new Headers()))
    return result
  }

  return { ...site, visit, openJar: () => openCookieJar(site.clock) }
}

/** Calls of the store during the first request after a login, and some more. */
const CALLS = Array.from({ length: 16 }, (_, index) => index + 3)

const get = (name: 'cart' | 'address' | 'role' | 'saved' | 'seen') => (state: State) => state.get(name)

function codeOf(error: unknown): string | undefined {
  return error instanceof BinsError ? error.code : undefined
}

describe('a bin that follows a user', () => {
  it('needs to know who is logged in', () => {
    expect(() => serveBins(defineBins({ cart: { scope: 'user' } }))).toThrow(
      /"cart": it follows a user.*user/,
    )
  })

  it('is there on all devices of the user, and on no other', async () => {
    const { visit, openJar } = openUserSite()
    const [laptop, phone, stranger] = [openJar(), openJar(), openJar()]
    await visit(laptop, 'ann', (state) => state.set('cart', ['tea']))
    expect(await visit(phone, 'ann', get('cart'))).toEqual(['tea'])
    await visit(phone, 'ann', (state) => state.update('cart', (cart = []) => [...cart, 'milk']))
    expect(await visit(laptop, 'ann', get('cart'))).toEqual(['tea', 'milk'])
    for (const user of ['bob', null, undefined])
      expect(await visit(stranger, user, get('cart'))).toBeUndefined()
  })

  it('is read without a visitor, and a plain read sets no cookie', async () => {
    const { visit, openJar } = openUserSite()
    await visit(openJar(), 'ann', (state) => state.set('cart', ['tea']))
    const jar = openJar()
    expect(await visit(jar, 'ann', get('cart'), READ)).toEqual(['tea'])
    expect(jar.header()).toBe('')
  })

  it('tells a browser again whose it is, where a late answer to an earlier request has taken that away', async () => {
    const { visit, openJar } = openUserSite()
    for (const user of ['ann', null]) {
      const jar = openJar()
      await visit(jar, user, (state) => state.set('seen', ['home']))
      const before = valueIn(jar, 'bb.o')
      expect(before).toMatch(user === null ? /^[\w-]{16}$/ : /^[\w-]{16}\.u\.[\w-]{16}$/)
      jar.set('bb.o=; Max-Age=0')
      await visit(jar, user, get('seen'), READ)
      expect(valueIn(jar, 'bb.o')).toBeUndefined()
      await visit(jar, user, get('seen'))
      expect(valueIn(jar, 'bb.o')).toBe(before)
    }
  })

  it('lets a browser that is no visitor yet know whose it is, and no more', async () => {
    const { visit, openJar, store } = openUserSite()
    await visit(openJar(), 'ann', (state) => state.set('cart', ['tea']))
    const jar = openJar()
    const writes = () => store.calls.filter((call) => call === 'write').length
    const before = writes()
    expect(await visit(jar, 'ann', get('cart'))).toEqual(['tea'])
    expect(jar.header()).toMatch(/^bb\.o=\.u\.[\w-]{16}$/)
    await visit(jar, null, get('cart'))
    expect(jar.header()).toBe('')
    expect(writes()).toBe(before)
  })

  it('is the visitor’s as long as nobody is logged in', async () => {
    const { visit, openJar } = openUserSite()
    const jar = openJar()
    await visit(jar, null, (state) => state.set('cart', ['tea']))
    expect(await visit(jar, null, get('cart'))).toEqual(['tea'])
    expect(await visit(openJar(), null, get('cart'))).toBeUndefined()
  })

  it('is nobody’s where it is not known who is logged in', async () => {
    const { visit, openJar } = openUserSite()
    const jar = openJar()
    await visit(jar, null, (state) => state.set('cart', ['tea']))
    expect(await visit(jar, undefined, get('cart'))).toBeUndefined()
    const setting = visit(jar, undefined, (state) => state.set('cart', ['milk']))
    expect(codeOf(await setting.catch((error: unknown) => error))).toBe('NO_USER')
    const updating = visit(jar, undefined, (state) => state.update('cart', () => ['milk']))
    expect(codeOf(await updating.catch((error: unknown) => error))).toBe('NO_USER')
    expect(await visit(jar, null, get('cart'))).toEqual(['tea'])
  })

  it('is not opened if the application cannot tell who is logged in', async () => {
    const { visit, openJar } = openUserSite()
    await expect(visit(openJar(), 'broken', get('cart'))).rejects.toThrow('the sessions cannot be read')
  })
})

describe('a login', () => {
  it('merges what the visitor had into what the user has, by each bin’s rule, once', async () => {
    const { visit, openJar } = openUserSite()
    const [laptop, phone] = [openJar(), openJar()]
    await visit(laptop, 'ann', (state) => {
      state.set('cart', ['tea'])
      state.set('role', 'admin')
      state.set('address', 'old')
    })
    await visit(phone, null, (state) => {
      state.set('cart', ['milk'])
      state.set('role', 'guest')
      state.set('address', 'new')
      state.set('saved', ['book'])
      state.set('seen', ['page'])
    })
    for (let visits = 0; visits < 3; visits += 1) {
      expect(await visit(phone, 'ann', get('cart'))).toEqual(['tea', 'milk'])
    }
    const all = (state: State) => [
      state.get('role'),
      state.get('address'),
      state.get('saved'),
      state.get('seen'),
    ]
    expect(await visit(phone, 'ann', all)).toEqual(['admin', 'new', ['book'], ['page']])
    expect(await visit(laptop, 'ann', all)).toEqual(['admin', 'new', ['book'], undefined])
  })

  it('merges once in six requests at the same moment', async () => {
    const { visit, openJar } = openUserSite({ store: slowStore(memoryStore()) })
    const jar = openJar()
    await visit(jar, null, (state) => state.set('cart', ['milk']))
    const carts = await Promise.all(Array.from({ length: 6 }, () => visit(jar, 'ann', get('cart'))))
    expect(carts).toEqual(Array.from({ length: 6 }, () => ['milk']))
    expect(await visit(jar, 'ann', get('cart'))).toEqual(['milk'])
  })

  it('merges once, whichever call of the store fails in between', async () => {
    let failures = 0
    for (const [failOn, lost] of CALLS.flatMap((call) => [
      [call, 'request'] as const,
      [call, 'answer'] as const,
    ])) {
      const { visit, openJar } = openUserSite({ store: faultyStore(memoryStore(), { failOn, lost }) })
      const jar = openJar()
      /** Whoever gets an error comes again. */
      const read = (browser: CookieJar, user: Login) =>
        visit(browser, user, get('cart')).catch(() => {
          failures += 1
          return visit(browser, user, get('cart'))
        })
      await visit(jar, null, (state) => state.set('cart', ['milk']))
      expect(await read(jar, 'ann')).toEqual(['milk'])
      expect(await read(openJar(), 'ann')).toEqual(['milk'])
      expect(await read(jar, null)).toBeUndefined()
    }
    expect(failures).toBeGreaterThan(12)
  })

  it('takes nothing of the last user along to the next one', async () => {
    const { visit, openJar } = openUserSite()
    const jar = openJar()
    await visit(jar, 'ann', (state) => state.set('cart', ['tea']))
    expect(await visit(jar, 'bob', get('cart'))).toBeUndefined()
    await visit(jar, 'bob', (state) => state.set('cart', ['beer']))
    expect(await visit(jar, 'ann', get('cart'))).toEqual(['tea'])
    expect(await visit(jar, null, get('cart'))).toBeUndefined()
  })

  it('leaves the visitor’s own bins as they are, and a logout too', async () => {
    const { visit, openJar } = openUserSite()
    const jar = openJar()
    await visit(jar, null, (state) => state.set('seen', ['page']))
    for (const user of ['ann', null, 'bob', undefined, 'ann']) {
      expect(await visit(jar, user, get('seen'))).toEqual(['page'])
    }
  })

  it('tells the browser whose bins it has, and a logout that they are nobody’s', async () => {
    const { visit, openJar } = openUserSite()
    const jar = openJar()
    const tags = () => valueIn(jar, 'bb.o') ?? ''
    await visit(jar, null, (state) => state.set('seen', ['page']))
    const visitor = tags()
    expect(visitor).toMatch(/^[\w-]{16}$/)
    await visit(jar, 'ann', get('cart'))
    expect(tags()).toMatch(new RegExp(`^${visitor}\\.u\\.[\\w-]{16}$`))
    expect(tags()).not.toContain('ann')
    await visit(jar, null, get('cart'))
    expect(tags()).toBe(visitor)
  })
})

describe('the secret of a visitor', () => {
  const token = (jar: CookieJar) => valueIn(jar, '__Host-bb') ?? ''

  /** A browser with a token that somebody else knows. */
  async function openStolen() {
    const site = openUserSite()
    const jar = site.openJar()
    await site.visit(jar, null, (state) => state.set('seen', ['page']))
    const thief = site.openJar()
    for (const name of ['__Host-bb', 'bb.o']) thief.set(`${name}=${valueIn(jar, name)}; Max-Age=1000000`)
    return { ...site, jar, thief }
  }

  it('is another one after a login, under the same id', async () => {
    const { visit, jar } = await openStolen()
    const before = token(jar)
    await visit(jar, 'ann', get('seen'))
    expect(token(jar)).not.toBe(before)
    expect(token(jar).split('.')[0]).toBe(before.split('.')[0])
    const after = token(jar)
    for (const user of ['ann', null]) await visit(jar, user, get('seen'))
    expect(token(jar)).toBe(after)
  })

  it('that was fixed before a login opens nothing from then on', async () => {
    const { visit, jar, thief, events } = await openStolen()
    await visit(jar, 'ann', get('seen'))
    for (const user of [null, 'thief', undefined]) {
      expect(await visit(thief, user, get('seen'))).toBeUndefined()
      const setting = visit(thief, user, (state) => state.set('seen', ['mine']))
      expect(codeOf(await setting.catch((error: unknown) => error))).toBe('GONE')
    }
    expect(events.types).toContain('retired-token')
    expect(await visit(jar, 'ann', get('seen'))).toEqual(['page'])
  })

  it('stays as it is on a plain read, and changes with the next navigation', async () => {
    const { visit, jar } = await openStolen()
    const before = token(jar)
    await visit(jar, null, (state) => state.set('cart', ['tea']))
    expect(await visit(jar, 'ann', get('cart'), READ)).toEqual(['tea'])
    const prefetch = { ...NAVIGATION, 'sec-purpose': 'prefetch' }
    expect(await visit(jar, 'ann', get('cart'), prefetch)).toEqual(['tea'])
    expect(token(jar)).toBe(before)
    await visit(jar, 'ann', get('cart'))
    expect(token(jar)).not.toBe(before)
  })

  it('works on in requests that were under way, for 30 s, and they set no cookie', async () => {
    const { visit, jar, thief, clock } = await openStolen()
    await visit(jar, 'ann', (state) => state.rotate())
    await visit(jar, 'ann', get('seen'))
    const late = token(thief)
    clock.advance(29_000)
    await visit(thief, 'ann', (state) => state.set('seen', ['late']))
    expect(token(thief)).toBe(late)
    expect(await visit(jar, 'ann', get('seen'))).toEqual(['late'])
    clock.advance(2_000)
    expect(await visit(thief, 'ann', get('seen'))).toBeUndefined()
  })

  it('works on as long as nobody comes with the next one: that response may be lost', async () => {
    const { visit, jar, thief, clock } = await openStolen()
    const lost = thief
    await visit(jar, null, (state) => state.rotate())
    clock.advance(10 * DAY)
    expect(await visit(lost, null, get('seen'))).toEqual(['page'])
    // It has got a new one meanwhile.
    expect(token(lost)).not.toBe('')
    expect(token(lost)).not.toBe(token(jar))
    expect(await visit(lost, null, get('seen'))).toEqual(['page'])
    clock.advance(31_000)
    expect(await visit(jar, null, get('seen'))).toBeUndefined()
  })

  it('works on however many of the next ones get lost', async () => {
    const { server, visit, jar, clock } = await openStolen()
    for (let losses = 0; losses < 10; losses += 1) {
      const state = await server.open(requestWith(jar, '/', { headers: NAVIGATION }))
      await state.rotate()
      await state.save(new Headers())
      clock.advance(61_000)
    }
    expect(await visit(jar, null, get('seen'))).toEqual(['page'])
  })

  it('is replaced by one of two requests at the same moment', async () => {
    const { visit, jar } = await openStolen()
    const other = openCookieJar(() => 0)
    other.set(`__Host-bb=${token(jar)}; Max-Age=1000000`)
    const before = token(jar)
    await Promise.all([jar, other].map((one) => visit(one, null, (state) => state.rotate())))
    expect([token(jar), token(other)].filter((one) => one !== before)).toHaveLength(1)
  })

  it('needs a response that can take it', async () => {
    const { server, jar } = await openStolen()
    const state = await server.open(requestWith(jar))
    await state.rotate()
    await expect(state.save()).rejects.toThrow(/pass the response/)
    await expect(state.save(new Headers())).resolves.toBeInstanceOf(Headers)
  })
})

describe('the visitors of a user', () => {
  it('are listed with their labels, the last one last', async () => {
    const { visit, openJar, server, clock } = openUserSite()
    const [laptop, phone] = [openJar(), openJar()]
    const since = clock()
    const laptopTag = await visit(laptop, 'ann', async (state) => {
      state.set('cart', ['tea'])
      await state.save(new Headers())
      return state.visitor?.tag
    })
    clock.advance(1_000)
    await visit(phone, null, (state) => state.set('seen', ['page']))
    await visit(phone, 'ann', get('cart'), { ...NAVIGATION, 'x-label': 'Phone' })
    expect(await server.visitors('ann')).toEqual([
      { tag: laptopTag, since },
      { tag: valueIn(phone, 'bb.o')?.split('.')[0], since: since + 1_000, label: 'Phone' },
    ])
    expect(await server.visitors('bob')).toEqual([])
  })

  it('lose the user’s bins when they are revoked, until somebody else is logged in', async () => {
    const { visit, openJar, server } = openUserSite()
    const [laptop, phone] = [openJar(), openJar()]
    for (const jar of [laptop, phone]) await visit(jar, null, (state) => state.set('seen', ['page']))
    for (const jar of [laptop, phone]) await visit(jar, 'ann', (state) => state.set('cart', ['tea']))
    const except = valueIn(laptop, 'bb.o')?.split('.')[0] ?? ''
    await server.revoke('ann', { except })
    expect(await visit(laptop, 'ann', get('cart'))).toEqual(['tea'])
    for (let visits = 0; visits < 2; visits += 1)
      expect(await visit(phone, 'ann', get('cart'))).toBeUndefined()
    const setting = visit(phone, 'ann', (state) => state.set('cart', ['mine']))
    expect(codeOf(await setting.catch((error: unknown) => error))).toBe('GONE')
    expect(await visit(phone, 'ann', get('seen'))).toEqual(['page'])
    expect((await server.visitors('ann')).map(({ tag }) => tag)).toEqual([except])
    await visit(phone, null, get('cart'))
    expect(await visit(phone, 'ann', get('cart'))).toEqual(['tea'])
  })
})

describe('a user', () => {
  it('can be exported', async () => {
    const { visit, openJar, server, clock } = openUserSite()
    const since = clock()
    await visit(openJar(), 'ann', (state) => {
      state.set('cart', ['tea'])
      state.set('saved', ['book'])
      state.set('seen', ['page'])
    })
    const visitors = [{ tag: expect.any(String), since }]
    expect(await server.export('ann')).toEqual({ bins: { cart: ['tea'], saved: ['book'] }, visitors })
    expect(await server.export('bob')).toEqual({ bins: {}, visitors: [] })
  })

  it('can be forgotten, and no late write brings anything back', async () => {
    const { visit, openJar, server, clock } = openUserSite()
    const jar = openJar()
    await visit(jar, 'ann', (state) => {
      state.set('cart', ['tea'])
      state.set('saved', ['book'])
    })
    const late = await server.open(requestWith(jar, '/', { headers: { ...NAVIGATION, 'x-user': 'ann' } }))
    late.set('address', 'late')
    clock.advance(1)
    await server.forget('ann')
    await late.save(new Headers())
    expect((await server.export('ann')).bins).toEqual({})
    clock.advance(1)
    await visit(jar, 'ann', (state) => state.set('address', 'new'))
    expect((await server.export('ann')).bins).toEqual({ address: 'new' })
  })

  it.each(['', 'x'.repeat(257), '\ud800'])('has an id: %j is none', async (user) => {
    const { server } = openUserSite()
    await expect(server.visitors(user)).rejects.toThrow(TypeError)
  })

  it('is not told by what is in the store', async () => {
    const { visit, openJar, store } = openUserSite()
    await visit(openJar(), 'ann@example.org', (state) => state.set('cart', ['tea']))
    expect(JSON.stringify(await store.scan?.(undefined, 10))).not.toContain('ann')
  })
})
