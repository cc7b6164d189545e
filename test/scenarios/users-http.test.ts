import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseCookie } from 'cookie'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { BinsError } from '../../src/core/error.ts'
import { toNodeHandler } from '../../src/server/http/node-handler.ts'
import { type BinsServer, serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { type CookieJar, openCookieJar, take } from '../support/sites/http.ts'
import { openSignal, type Signal } from '../support/sites/requests.ts'

const bins = defineBins({ seen: {}, cart: { scope: 'user' } })

let http: Server
let server: BinsServer<typeof bins>
let url = ''
/** What `POST /slow/{name}/{data}` waits for between its edit and its save; and what it gives when it has edited. */
let gate: Signal
let edited: Signal

/** An application: who is logged in is in a cookie of its own, without any security. */
async function answer(request: Request): Promise<Response> {
  const [, action = '', name = '', data = ''] = new URL(request.url).pathname.split('/')
  const cookie = parseCookie(request.headers.get('cookie') ?? '')
  const state = await server.open(request)
  try {
    if (action === 'rotate') await state.rotate()
    if (action === 'set' || action === 'slow') state.set(name as 'seen', data)
    if (action === 'slow') {
      edited.give()
      await gate.given
    }
    const found = { seen: state.get('seen'), cart: state.get('cart'), user: cookie.sid }
    return await state.save(Response.json(found))
  } catch (error) {
    return Response.json({ code: error instanceof BinsError ? error.code : String(error) }, { status: 409 })
  }
}

beforeEach(async () => {
  ;[gate, edited] = [openSignal(), openSignal()]
  server = serveBins(bins, {
    store: memoryStore(),
    user: ({ headers }) => parseCookie(new Headers(headers as HeadersInit).get('cookie') ?? '').sid ?? null,
  })
  http = createServer(toNodeHandler(answer)).listen(0, '127.0.0.1')
  await once(http, 'listening')
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
})

afterEach(async () => {
  http.closeAllConnections()
  http.close()
  await server.close()
})

function openBrowser() {
  const jar: CookieJar = openCookieJar(Date.now)
  const ask = async (path: string, method = 'POST') => {
    const response = await fetch(url + path, { method, headers: { cookie: jar.header(), origin: url } })
    const lines = response.headers.getSetCookie()
    return { ...(await take(jar, response).json()), lines }
  }
  const logIn = (user: string | null) => jar.set(user === null ? 'sid=; Max-Age=0' : `sid=${user}`)
  return { jar, ask, logIn }
}

/** A browser whose cookies somebody else has copied. */
async function openStolen() {
  const [owner, thief] = [openBrowser(), openBrowser()]
  await owner.ask('/set/seen/page')
  for (const pair of owner.jar.header().split('; ')) thief.jar.set(`${pair}; Max-Age=1000000`)
  return { owner, thief }
}

describe('over HTTP', () => {
  it('a token that was fixed before the login is dead after it, for requests at the same moment too', async () => {
    const { owner, thief } = await openStolen()
    owner.logIn('ann')
    await Promise.all([owner.ask('/'), thief.ask('/')])
    await owner.ask('/set/cart/tea')
    for (const method of ['GET', 'POST']) {
      expect(await thief.ask('/', method)).toEqual({ lines: [] })
    }
    expect(await thief.ask('/set/seen/mine')).toEqual({ code: 'GONE', lines: [] })
    expect(await owner.ask('/')).toMatchObject({ seen: 'page', cart: 'tea' })
  })

  it('one of six rotations at the same moment wins, and nobody is lost', async () => {
    const { ask, jar } = openBrowser()
    await ask('/set/seen/page')
    const before = jar.header()
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask('/rotate')))
    expect(answers.filter(({ lines }) => lines.length > 0)).toHaveLength(1)
    expect(jar.header()).not.toBe(before)
    for (let times = 0; times < 3; times += 1) expect(await ask('/')).toMatchObject({ seen: 'page' })
  })

  it('a slow request that began before a rotation is saved, and puts no old cookie back', async () => {
    const { ask, jar } = openBrowser()
    await ask('/set/seen/page')
    const slow = ask('/slow/seen/slow')
    await edited.given
    await ask('/rotate')
    const after = jar.header()
    gate.give()
    expect((await slow).lines).toEqual([])
    expect(jar.header()).toBe(after)
    expect(await ask('/')).toMatchObject({ seen: 'slow' })
  })

  it('a slow request that began before a logout is saved for its user, and for nobody else', async () => {
    const { ask, logIn } = openBrowser()
    logIn('ann')
    await ask('/set/seen/page')
    const slow = ask('/slow/cart/slow')
    await edited.given
    logIn(null)
    expect(await ask('/')).not.toHaveProperty('cart')
    gate.give()
    await slow
    expect(await ask('/')).not.toHaveProperty('cart')
    logIn('bob')
    expect(await ask('/')).not.toHaveProperty('cart')
    logIn('ann')
    expect(await ask('/')).toMatchObject({ cart: 'slow' })
  })

  it('first requests at the same moment make visitors that do not see each other, and the last one stays', async () => {
    const { ask } = openBrowser()
    const first = await Promise.all(['one', 'two', 'three'].map((data) => ask(`/set/seen/${data}`)))
    expect(first.map(({ seen }) => seen)).toEqual(['one', 'two', 'three'])
    const { seen } = await ask('/')
    expect(['one', 'two', 'three']).toContain(seen)
    expect((await ask('/')).seen).toBe(seen)
  })
})
