import { request as sendRequest } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { BinsError } from '../../src/core/error.ts'
import type { ServerOptions } from '../../src/server/options.ts'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { type Got, type Listening, type Sent, send } from '../support/sites/express.ts'
import { bins, frameworks, type Handler, type Site } from '../support/sites/frameworks.ts'
import { openCookieJar } from '../support/sites/http.ts'
import { openEvents, openSignal, slowStore } from '../support/sites/requests.ts'

const closing: Listening[] = []
afterEach(() => Promise.all(closing.splice(0).map((server) => server.close())))

const read: Handler = async (open) => {
  const state = await open()
  return { body: JSON.stringify([state.get('theme'), state.get('visits')]) }
}

describe.each(Object.entries(frameworks))('bins in %s', (name, start) => {
  /** Serves a site, and opens a browser on it. */
  async function serve({ routes, first }: Site, options: ServerOptions = {}) {
    const events = openEvents()
    const store = faultyStore(options.store ?? slowStore(memoryStore()))
    const server = serveBins(bins, { onEvent: events.onEvent, ...options, store })
    const listening = await start(server, {
      routes: { '/read': read, ...routes },
      ...(first ? { first } : {}),
    })
    closing.push(listening)
    const jar = openCookieJar(Date.now)

    /** Sends a request with the cookies of the browser, and takes in those of the answer. */
    async function browse(path: string, sent: Sent = {}): Promise<Got> {
      const headers = { ...sent.headers, ...(jar.header() === '' ? {} : { cookie: jar.header() }) }
      const got = await send(listening, { ...sent, path, headers })
      if (!got) throw new Error('no answer')
      for (const line of [got.headers['set-cookie'] ?? []].flat()) jar.set(line)
      return got
    }

    return { listening, jar, browse, events, store }
  }

  /** Sets a bin of each storage, and answers as it is told. */
  const setAnd =
    (answer: Awaited<ReturnType<Handler>>): Handler =>
    async (open) => {
      const state = await open()
      state.set('theme', 'dark')
      state.set('visits', state.get('visits') + 1)
      return answer
    }

  it('leave a response alone that touches none', async () => {
    const { browse, store } = await serve({
      routes: {
        '/': async () => ({ body: 'hello', headers: { 'cache-control': 'public, max-age=60' } }),
        '/opened': async (open) => {
          await open(['theme'])
          return { body: 'hello', headers: { 'cache-control': 'public, max-age=60' } }
        },
      },
    })
    for (const path of ['/', '/opened']) {
      const { headers } = await browse(path)
      expect([headers.vary, headers['set-cookie'], headers['cache-control']]).toEqual([
        undefined,
        undefined,
        'public, max-age=60',
      ])
    }
    expect(store.calls).toEqual([])
  })

  it('tell caches what a response depends on', async () => {
    const headers = {
      'cache-control': 'public, max-age=60, s-maxage=600',
      'surrogate-control': 'max-age=600',
    }
    const { browse } = await serve({
      routes: {
        '/plain': async (open) => ({ headers, body: String((await open(['theme'])).get('theme')) }),
        '/owned': async (open) => ({ headers, body: String((await open(['visits'])).get('visits')) }),
        '/plain-set': async (open) => {
          const state = await open(['theme'])
          state.set('theme', 'dark')
          return { headers, body: 'set' }
        },
        '/owned-set': setAnd({ headers, body: 'set' }),
      },
    })
    const told = async (path: string) => {
      const { headers: got } = await browse(path)
      return [got.vary, got['cache-control'], got['surrogate-control']]
    }
    expect(await told('/plain')).toEqual(['Cookie', headers['cache-control'], 'max-age=600'])
    expect(await told('/owned')).toEqual(['Cookie', 'private, max-age=60', undefined])
    expect((await told('/plain-set')).slice(1)).toEqual(['private, no-cache', undefined])
    expect((await told('/owned-set')).slice(1)).toEqual(['private, no-store', undefined])
  })

  it('are kept when the client hears of a redirect, every time', async () => {
    const { browse } = await serve({
      routes: { '/set': setAnd({ status: 303, headers: { location: '/read' } }) },
    })
    for (let visits = 1; visits <= 100; visits += 1) {
      const { status, headers } = await browse('/set', { method: 'POST' })
      expect([status, headers.location]).toEqual([303, '/read'])
      expect((await browse('/read')).body).toBe(`["dark",${visits}]`)
    }
  })

  it.each([
    ['200 without a body', 'GET', {}, ''],
    ['HEAD', 'HEAD', { body: 'hello' }, ''],
    ['204', 'GET', { status: 204 }, ''],
    ['304', 'GET', { status: 304 }, ''],
    ['400', 'GET', { status: 400, body: 'no' }, 'no'],
    ['404', 'GET', { status: 404, body: 'nothing' }, 'nothing'],
  ] as const)('are kept with %s', async (_name, method, answer, body) => {
    const { browse } = await serve({ routes: { '/': setAnd(answer) } })
    const got = await browse('/', { method })
    expect([got.status, got.body]).toEqual(['status' in answer ? answer.status : 200, body])
    expect((await browse('/read')).body).toBe('["dark",1]')
  })

  it('are not kept with 500, nor when the handler throws', async () => {
    const { browse, jar, store } = await serve({
      routes: {
        '/500': setAnd({ status: 500, body: 'broken' }),
        '/throw': async (open) => {
          await setAnd({})(open)
          throw new Error('of this test')
        },
      },
    })
    for (const path of ['/500', '/throw']) expect((await browse(path)).status).toBe(500)
    expect([jar.header(), store.calls]).toEqual(['', []])
  })

  it('are kept with 500 if they were saved before', async () => {
    const { browse } = await serve({
      routes: {
        '/': async (open) => {
          const state = await open()
          await state.update('visits', (visits) => visits + 1)
          state.set('theme', 'dark')
          return { status: 500, body: 'broken' }
        },
      },
    })
    await browse('/')
    expect((await browse('/read')).body).toBe('["light",1]')
  })

  it('are shared by all that handle a request', async () => {
    const { browse } = await serve({
      async first(open) {
        const state = await open(['visits'])
        state.set('visits', state.get('visits') + 10)
      },
      routes: {
        '/': async (open) => {
          const state = await open(['visits'])
          state.set('visits', state.get('visits') + 1)
          return { body: String(state.get('visits')) }
        },
      },
    })
    expect((await browse('/')).body).toBe('11')
    expect((await browse('/')).body).toBe('22')
  })

  it('are kept before a stream begins, and refuse cookies in it', async () => {
    const head = openSignal()
    const { browse, listening } = await serve({
      routes: {
        '/': async (open) => {
          const state = await open()
          state.set('visits', 1)
          async function* body() {
            yield 'first '
            await head.given
            yield codeOf(() => state.set('theme', 'dark'))
          }
          return { body: body() }
        },
      },
    })
    const response = await fetch(listening.url)
    const cookies = response.headers.getSetCookie().map((line) => line.slice(0, line.indexOf(';')))
    head.give()
    expect(await response.text()).toBe('first HEAD_SENT')
    expect((await browse('/read', { headers: { cookie: cookies.join('; ') } })).body).toBe('["light",1]')
  })

  it('keep cookies of others, and replace none', async () => {
    const { browse, jar } = await serve({
      routes: { '/': setAnd({ headers: { 'set-cookie': 'other=1; Path=/' }, body: 'set' }) },
    })
    await browse('/')
    expect(jar.header()).toMatch(/(^|; )other=1(;|$)/)
    expect((await browse('/read')).body).toBe('["dark",1]')
  })

  it('are kept for a client that has gone away', async () => {
    const [entered, gone, done] = [openSignal(), openSignal(), openSignal()]
    const { browse, listening, jar, events } = await serve({
      routes: {
        '/slow': async (open) => {
          const state = await open()
          entered.give()
          await gone.given
          await state.update('visits', () => 9)
          done.give()
          return { body: 'too late' }
        },
        '/': setAnd({ body: 'hello' }),
      },
    })
    await browse('/')
    const headers = { cookie: jar.header() }
    const { port } = listening
    const sending = sendRequest({ port, host: '127.0.0.1', path: '/slow', headers, agent: false })
    const closed = new Promise((resolve) => sending.on('close', resolve))
    sending.on('error', () => {}).end()
    await entered.given
    sending.destroy()
    await closed
    gone.give()
    await done.given
    expect((await browse('/read')).body).toBe('["dark",9]')
    expect(events.types).toEqual([])
  })

  it('set no cookie and show no page when they cannot be kept', async () => {
    const { browse, jar } = await serve(
      { routes: { '/': setAnd({ body: 'kept' }) } },
      { store: faultyStore(memoryStore(), { failOn: 1 }) },
    )
    const { status, body } = await browse('/')
    expect([jar.header(), body.includes('kept')]).toEqual(['', false])
    // Hono asks errors nothing.
    expect(status).toBe(name.startsWith('hono') ? 500 : 503)
  })

  it('are synced at their endpoint', async () => {
    const { browse } = await serve({ routes: {} })
    const { status, body } = await browse('/bins/sync', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
      body: '{}',
    })
    expect([status, body]).toEqual([400, '{"error":"malformed"}'])
  })
})

function codeOf(run: () => void): string {
  try {
    run()
    return 'done'
  } catch (error) {
    return error instanceof BinsError ? error.code : String(error)
  }
}
