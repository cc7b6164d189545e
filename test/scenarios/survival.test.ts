import { describe, expect, it } from 'vitest'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import type { BinName } from '../../src/core/definition/definition.ts'
import { migrate } from '../../src/migrate/migrate.ts'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { Store } from '../../src/stores/store.ts'
import { openClock } from '../support/clock.ts'
import { type CookieJar, NAVIGATION, openCookieJar, requestWith, take } from '../support/sites/http.ts'
import { SECRETS } from '../support/sites/requests.ts'

const bins = defineBins({
  plain: { storage: 'cookie' },
  signed: { storage: 'cookie', browser: 'read' },
  sealed: { storage: 'cookie', browser: 'none' },
  boundToVisitor: { storage: 'cookie', browser: 'none', bind: 'visitor' },
  boundToUser: { storage: 'cookie', browser: 'none', bind: 'user' },
  cookieOfSession: { storage: 'cookie', maxAge: 'session' },
  visitors: {},
  visitorsElsewhere: { store: 'other' },
  ofSession: { maxAge: 'session' },
  users: { scope: 'user' },
})

type Name = BinName<typeof bins>

// Every name is one of theirs.
const ALL = bins.names as readonly Name[]

/** A site, one browser of it, and what may befall both. */
function setUp(user: string | null) {
  const clock = openClock()
  let stores: { store: Store; other: Store } = { store: memoryStore(), other: memoryStore() }
  let jar: CookieJar = openCookieJar(clock)
  let loggedIn = user
  let server = start()

  function start() {
    const { store, other } = stores
    return serveBins(bins, { store, stores: { other }, secrets: SECRETS, clock, user: () => loggedIn })
  }

  async function visit<Result>(
    use: (state: Awaited<ReturnType<typeof server.open>>) => Result,
  ): Promise<Result> {
    const state = await server.open(requestWith(jar, '/', { headers: NAVIGATION }))
    const result = await use(state)
    take(jar, await state.save(new Headers()))
    return result
  }

  const happenings = {
    login: () => {
      loggedIn = 'ann'
    },
    'login of somebody else': () => {
      loggedIn = 'bob'
    },
    logout: () => {
      loggedIn = null
    },
    rotation: () => visit((state) => state.rotate()),
    'restart of the browser': () => jar.restart(),
    'restart of the server': () => {
      server = start()
    },
    'move to other stores': async () => {
      const next = { store: memoryStore(), other: memoryStore() }
      for (const name of ['store', 'other'] as const) await migrate(stores[name], next[name], { clock })
      stores = next
      server = start()
    },
    'loss of all cookies': () => {
      jar = openCookieJar(clock)
    },
  }

  return {
    happenings,
    async fill() {
      // What is bound to a visitor needs one.
      await visit((state) => state.set('visitors', 'data'))
      await visit((state) => {
        for (const name of ALL) if (name !== 'boundToUser' || loggedIn !== null) state.set(name, 'data')
      })
    },
    left: () => visit((state) => ALL.filter((name) => state.get(name) === 'data')),
  }
}

const without = (...names: Name[]) => ALL.filter((name) => !names.includes(name))

describe('what was kept for somebody', () => {
  it.each<
    [happening: keyof ReturnType<typeof setUp>['happenings'], user: string | null, left: readonly Name[]]
  >([
    ['login', null, without('boundToUser')],
    ['logout', 'ann', without('boundToUser', 'users')],
    ['login of somebody else', 'ann', without('boundToUser', 'users')],
    ['rotation', null, without('boundToUser')],
    ['rotation', 'ann', ALL],
    ['restart of the browser', null, without('boundToUser', 'cookieOfSession', 'ofSession')],
    ['restart of the browser', 'ann', without('cookieOfSession', 'ofSession')],
    ['restart of the server', 'ann', ALL],
    ['move to other stores', 'ann', ALL],
    ['loss of all cookies', null, []],
    ['loss of all cookies', 'ann', ['users']],
  ])('after a %s, with %j logged in before: %j', async (happening, user, left) => {
    const { happenings, fill, left: found } = setUp(user)
    await fill()
    expect(await found()).toEqual(user === null ? without('boundToUser') : ALL)
    await happenings[happening]()
    expect(await found()).toEqual(left)
    expect(await found()).toEqual(left)
  })

  it('is there again for a user who comes back', async () => {
    const { happenings, fill, left } = setUp('ann')
    await fill()
    for (const happening of ['logout', 'login of somebody else', 'login'] as const) {
      await happenings[happening]()
      await left()
    }
    expect(await left()).toEqual(ALL)
  })
})
