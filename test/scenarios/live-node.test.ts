import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { toNodeHandler } from '../../src/server/http/node-handler.ts'
import { type BinsServer, serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { openTimers } from '../support/clock.ts'
import { needs } from '../support/needs.ts'
import { startNginx } from '../support/servers/nginx.ts'
import { type Handler, type Listening, listen, quietApp } from '../support/sites/express.ts'
import { fire, readEvents, seededRandom } from '../support/sites/live.ts'
import { bins } from '../support/sites/live-site.ts'

const nginx = needs('nginx')
const endings: Array<() => unknown> = []

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

type Mount = (handle: ReturnType<typeof toNodeHandler>, server: BinsServer) => Handler

const MOUNTS: Record<string, Mount> = {
  'node:http': (handle) => handle,
  'express with the middleware': (handle, server) => quietApp().use(server.middleware()).use('/bins', handle),
}

/** Serves bins on a port of this machine. */
async function open({ mount = (handle) => handle, seed = 1 }: { mount?: Mount; seed?: number } = {}) {
  const timers = openTimers()
  const server = serveBins(bins, { store: memoryStore(), timer: timers.start, random: seededRandom(seed) })
  const site = await listen(mount(toNodeHandler(server.fetch), server))
  endings.push(() => server.close(), site.close)
  return {
    server,
    timers,
    site,
    /** Makes a visitor; returns its cookies. */
    async enter() {
      const state = await server.open(new Request(site.url))
      state.set('cart', ['apple'])
      const { headers } = await state.save(new Response())
      return headers
        .getSetCookie()
        .map((line) => line.split(';')[0])
        .join('; ')
    },
    async edit(cookie: string, fruit: string) {
      const state = await server.open(new Request(site.url, { headers: { cookie } }))
      state.set('cart', [fruit])
      await state.save(new Response())
    },
  }
}

/** Asks for events on a connection of its own. */
async function ask({ url }: Pick<Listening, 'url'>, cookie: string, query = ''): Promise<IncomingMessage> {
  const request = get(`${url}/bins/events${query}`, { headers: { cookie }, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

/** Reads the events of a response of node:http. */
function read(response: IncomingMessage) {
  return readEvents(new Response(Readable.toWeb(response) as ReadableStream<Uint8Array>))
}

/** What the page knows after hello, for a long poll. */
async function knownAfterHello(response: IncomingMessage): Promise<string> {
  const hello = await read(response).next()
  const { cursors } = (hello?.data ?? {}) as { cursors?: object }
  return `?known=${encodeURIComponent(JSON.stringify(cursors))}`
}

describe.each(Object.entries(MOUNTS))('events through %s', (_, mount) => {
  it('arrive one by one', async () => {
    const { site, enter, edit, timers } = await open({ mount })
    const cookie = await enter()
    const response = await ask(site, cookie)
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'private, no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    const events = read(response)
    expect((await events.next())?.event).toBe('hello')
    await edit(cookie, 'pear')
    expect((await events.next())?.event).toBe('poke')
    fire(timers, 'heartbeat')
    expect((await events.next())?.event).toBeUndefined()
  })

  it('cost nothing any more when the client has gone', async () => {
    const { site, enter, timers, edit } = await open({ mount })
    const cookie = await enter()
    const response = await ask(site, cookie)
    await read(response).next()
    await edit(cookie, 'pear')
    expect(timers.waiting.length).toBeGreaterThan(0)
    response.destroy()
    await expect.poll(() => timers.waiting).toEqual([])
  })

  it('cost nothing any more when the client of a long poll has gone', async () => {
    const { site, enter, timers } = await open({ mount })
    const cookie = await enter()
    const response = await ask(site, cookie)
    const query = await knownAfterHello(response)
    response.destroy()
    await expect.poll(() => timers.waiting).toEqual([])
    const request = get(`${site.url}/bins/events${query}`, { headers: { cookie }, agent: false })
    request.on('error', () => {})
    await expect.poll(() => timers.waiting.some(({ ms }) => ms === 25_000)).toBe(true)
    request.destroy()
    await expect.poll(() => timers.waiting).toEqual([])
  })

  it('end with the server', async () => {
    const { site, enter, server } = await open({ mount })
    const events = read(await ask(site, await enter()))
    await events.next()
    await server.close()
    expect((await events.next())?.event).toBe('bye')
    expect(await events.next()).toBeUndefined()
  })
})

describe('toNodeHandler', () => {
  const EVENTS = { headers: { 'content-type': 'text/event-stream' } }

  it('closes the connection when a stream is broken off, although the client does not read', async () => {
    let breakOff = () => {}
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(Buffer.alloc(1_000_000)),
      start: (controller) => {
        breakOff = () => controller.error(new Error('too slow'))
      },
    })
    const site = await listen(toNodeHandler(async () => new Response(body, EVENTS)))
    endings.push(site.close)
    const response = await ask(site, '')
    const closed = once(response, 'error')
    breakOff()
    response.resume()
    expect(await closed).toEqual([expect.objectContaining({ code: 'ECONNRESET' })])
  })

  it('ends a stream whose client went away before it was there', async () => {
    let isCancelled = false
    const body = new ReadableStream<Uint8Array>({
      cancel() {
        isCancelled = true
      },
    })
    let answer = (_: Response) => {}
    let asked = () => {}
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    const left = new Promise<void>((resolve) => {
      const handle = toNodeHandler(
        (request) =>
          new Promise((respond) => {
            request.signal.addEventListener('abort', () => resolve())
            answer = respond
            asked()
          }),
      )
      void listen(handle).then((site) => {
        endings.push(site.close)
        const request = get(site.url, { agent: false })
        request.on('error', () => {})
        void isAsked.then(() => request.destroy())
      })
    })
    await left
    answer(new Response(body, EVENTS))
    await expect.poll(() => isCancelled).toBe(true)
  })
})

describe('a restart under 200 clients', () => {
  it('tells them to come back at times spread over 10 s', async () => {
    const { site, server, enter, timers } = await open({ seed: 42 })
    const readers = []
    for (let client = 0; client < 200; client += 1) {
      const reader = read(await ask(site, await enter()))
      expect((await reader.next())?.event).toBe('hello')
      readers.push(reader)
    }
    await server.close()
    const times: number[] = []
    for (const reader of readers) {
      const bye = await reader.next()
      expect(bye?.event).toBe('bye')
      const { retryMs = -1 } = (bye?.data ?? {}) as { retryMs?: number }
      times.push(retryMs)
      expect(await reader.next()).toBeUndefined()
    }
    expect(timers.waiting).toEqual([])
    const inEachSecond = Array.from(
      { length: 10 },
      (_, second) => times.filter((ms) => Math.min(Math.floor(ms / 1_000), 9) === second).length,
    )
    process.stdout.write(`    200 clients come back, in each second: ${inEachSecond.join(' ')}\n`)
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...times)).toBeLessThanOrEqual(10_000)
    // Twice as many as on average in the busiest second, half as many in the quietest one.
    expect(Math.max(...inEachSecond)).toBeLessThanOrEqual(40)
    expect(Math.min(...inEachSecond)).toBeGreaterThanOrEqual(10)
  })
})

if (nginx) {
  describe('behind nginx, with its default buffering', () => {
    async function openBehind() {
      const opened = await open()
      const proxy = await startNginx(nginx as string, opened.site.url)
      endings.push(proxy.stop)
      return { ...opened, proxy, cookie: await opened.enter() }
    }

    it('events arrive, since we ask for that', async () => {
      const { proxy, cookie, edit } = await openBehind()
      const response = await ask(proxy, cookie)
      expect(response.headers['content-type']).toBe('text/event-stream')
      const events = read(response)
      expect((await events.next())?.event).toBe('hello')
      await edit(cookie, 'pear')
      expect((await events.next())?.event).toBe('poke')
    })

    it('a client that leaves is gone for us, too', async () => {
      const { proxy, cookie, timers } = await openBehind()
      const response = await ask(proxy, cookie)
      await read(response).next()
      response.destroy()
      await expect.poll(() => timers.waiting).toEqual([])
    })

    it('a long poll is answered even where events are held back', async () => {
      const { proxy, cookie, edit, site, server, timers } = await openBehind()
      const deaf = { url: proxy.deafUrl }
      const held = get(`${deaf.url}/bins/events`, { headers: { cookie }, agent: false })
      held.on('error', () => {})
      let text = ''
      held.on('response', (response) => {
        response.on('data', (chunk) => {
          text += chunk
        })
      })
      await expect.poll(() => timers.waiting.some(({ ms }) => ms === 15_000)).toBe(true)
      const query = await knownAfterHello(await ask(site, cookie))
      const polling = ask(deaf, cookie, query)
      await edit(cookie, 'pear')
      const answered = await polling
      expect(answered.statusCode).toBe(200)
      expect(text).toBe('')
      await server.close()
      // What nginx held back until the end.
      await expect.poll(() => text).toMatch(/event: hello.*event: poke.*event: bye/s)
    })
  })
}
