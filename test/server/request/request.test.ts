import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { DAY } from '../../support/clock.ts'
import { requestWith, take } from '../../support/sites/http.ts'
import { cookiesOf, gatedStore, openSite, valueIn } from '../../support/sites/requests.ts'

const bins = defineBins({
  theme: { storage: 'cookie', default: 'light' },
  region: { storage: 'cookie' },
  variant: { storage: 'cookie', browser: 'read' },
  secret: { storage: 'cookie', browser: 'none' },
  cart: {},
  visits: { default: 0 },
  draft: { storage: 'device', default: 'empty' },
})

const DELETED = { value: '', maxAge: 0, path: '/', sameSite: 'lax', secure: true }

describe('a request', () => {
  it('gets no header and asks no store if it touches no bin', async () => {
    const { server, store, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('cart', ['apple']))
    const before = store.calls.length
    const state = await server.open(browser.request(), [])
    const response = await state.save(new Response('page'))
    expect([...response.headers.keys()]).toEqual(['content-type'])
    expect(store.calls.length).toBe(before)
  })

  it('asks no store for cookie bins', async () => {
    const { store, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const before = store.calls.length
    const read = await browser.visit(
      (state) => {
        state.set('theme', 'dark')
        state.set('variant', 'b')
        return [state.get('theme'), state.get('region'), state.get('variant'), state.get('secret')]
      },
      ['theme', 'region', 'variant', 'secret'],
    )
    expect(read).toEqual(['dark', undefined, 'b', undefined])
    expect(store.calls.length).toBe(before)
  })

  it('asks no store for somebody who has no visitor cookie', async () => {
    const { store, openBrowser } = openSite(bins)
    expect(await openBrowser().visit((state) => state.get('visits'))).toBe(0)
    expect(store.calls).toEqual([])
  })

  it('reads a record once, however many bins are read', async () => {
    const { store, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const before = store.calls.length
    await browser.visit((state) => [state.get('visits'), state.get('cart'), state.names()])
    expect(store.calls.slice(before)).toEqual(['read'])
  })

  it('sets no cookie when it only reads', async () => {
    const { server, openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    const names = ['theme', 'variant', 'secret', 'cart'] as const
    await browser.visit((state) => {
      for (const name of names) state.set(name, 'x')
    })
    clock.advance(20 * DAY)
    const state = await server.open(browser.request())
    for (const name of names) {
      expect([state.get(name), state.has(name), state.loaded(name)]).toEqual(['x', true, true])
      state.subscribe(name, () => {})
    }
    expect(state.names()).toEqual([...names])
    expect(state.visitor).toBeDefined()
    expect(cookiesOf(await state.save(new Response()))).toEqual({})
  })

  it('sets one cookie for each name, however often it is set', async () => {
    const { server, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    for (const theme of ['a', 'b', 'c']) state.set('theme', theme)
    for (const visits of [1, 2, 3]) state.set('visits', visits)
    const response = await state.save(new Response())
    expect(response.headers.getSetCookie().map((line) => line.slice(0, line.indexOf('=')))).toEqual([
      'bb-theme',
      '__Host-bb',
      'bb.o',
    ])
  })

  it('writes its record once', async () => {
    const { store, openBrowser } = openSite(bins)
    await openBrowser().visit((state) => {
      state.set('cart', ['apple'])
      state.set('visits', 1)
      state.set('cart', ['pear'])
    })
    expect(store.calls).toEqual(['read', 'write'])
  })

  it('sets nothing for a bin that is set and deleted by somebody who had none', async () => {
    const { server, store, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    state.set('theme', 'dark')
    state.set('theme', null)
    state.set('cart', ['apple'])
    state.set('cart', null)
    expect(cookiesOf(await state.save(new Response()))).toEqual({})
    expect(store.calls).toEqual([])
  })

  it('deletes the cookie of a bin that is set and deleted by somebody who had one', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('theme', 'dark'))
    const state = await server.open(browser.request())
    state.set('theme', 'blue')
    state.set('theme', null)
    expect(state.get('theme')).toBe('light')
    expect(cookiesOf(await state.save(new Response()))).toEqual({ 'bb-theme': DELETED })
  })

  it('deletes cookies with the flags that they were set with', async () => {
    const { server, openBrowser } = openSite(
      defineBins(
        { plain: { storage: 'cookie' }, sealed: { storage: 'cookie', browser: 'none' }, cart: {} },
        { cookie: { prefix: 'x', domain: 'example.org', path: '/shop', sameSite: 'strict' } },
      ),
    )
    const browser = openBrowser()
    const names = ['plain', 'sealed', 'cart'] as const
    const first = await server.open(browser.request())
    for (const name of names) first.set(name, 1)
    const set = cookiesOf(take(browser.jar, await first.save(new Response())))
    const second = await server.open(browser.request())
    for (const name of names) second.set(name, null)
    const deleted = cookiesOf(await second.save(new Response()))
    expect(Object.keys(set)).toEqual(['x-plain', 'x-sealed', '__Secure-x', 'x.o'])
    expect(deleted).toEqual(
      Object.fromEntries(
        Object.entries(set).map(([name, flags]) => [name, { ...flags, value: '', maxAge: 0 }]),
      ),
    )
  })

  it('makes no visitor for deletes', async () => {
    const { server, store, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    state.set('cart', null)
    expect(await state.update('visits', () => null)).toBe(0)
    expect(cookiesOf(await state.save(new Response()))).toEqual({})
    expect(store.calls).toEqual([])
  })

  it('shares its bins, however often it is opened', async () => {
    const { server, openBrowser } = openSite(bins)
    const request = openBrowser().request()
    const [one, other] = await Promise.all([server.open(request, ['theme']), server.open(request, ['cart'])])
    one.set('theme', 'dark')
    expect(other).toBe(one)
    expect(other.get('theme')).toBe('dark')
    other.set('cart', 1)
    expect(one.get('cart')).toBe(1)
  })

  it('refuses a server bin that it did not open', async () => {
    const { server, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request(), ['theme'])
    expect(() => state.get('cart')).toThrow(/"cart" was not opened.*open\(request, names\)/)
    expect(() => state.set('cart', 1)).toThrow(TypeError)
    await expect(state.update('cart', () => 1)).rejects.toThrow(TypeError)
    expect(state.loaded('cart')).toBe(false)
    expect(state.loaded('theme')).toBe(true)
    expect(state.names()).toEqual([])
  })

  it('refuses a bin that nobody defined, at once', async () => {
    const { server, openBrowser } = openSite(bins)
    const unknown = JSON.parse('"unknown"')
    await expect(server.open(openBrowser().request(), [unknown])).rejects.toMatchObject({
      code: 'UNKNOWN_BIN',
    })
  })

  it('gives the default of a device bin, and does not write it', async () => {
    const { server, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    expect(state.get('draft')).toBe('empty')
    expect(() => state.set('draft', 'x')).toThrow(
      expect.objectContaining({ code: 'READ_ONLY', bin: 'draft' }),
    )
  })

  it('refuses a bin that alone is too large when it is set', async () => {
    const { server, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    expect(() => state.set('cart', 'x'.repeat(16_500))).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE', bin: 'cart' }),
    )
    await expect(state.update('cart', () => 'x'.repeat(16_500))).rejects.toMatchObject({ code: 'TOO_LARGE' })
    expect(state.has('cart')).toBe(false)
  })

  it('refuses bins that together are too large when they are set', async () => {
    const many = defineBins(Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, {}])))
    const { server, openBrowser } = openSite(many)
    const state = await server.open(openBrowser().request())
    for (const name of ['a', 'b', 'c', 'd']) state.set(name, 'x'.repeat(16_000))
    expect(() => state.set('e', 'x'.repeat(16_000))).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE', bin: 'e' }),
    )
    state.set('d', null)
    state.set('e', 'x'.repeat(16_000))
    await state.save(new Response())
    expect(state.names()).toEqual(['a', 'b', 'c', 'e'])
  })

  it('knows its visitor, but not in public', async () => {
    const { server, openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    const first = await server.open(browser.request())
    expect(first.visitor).toBeUndefined()
    first.set('cart', 1)
    expect(first.visitor).toBeUndefined()
    const response = take(browser.jar, await first.save(new Response()))
    const created = clock()
    expect(first.visitor).toEqual({ tag: cookiesOf(response)['bb.o']?.value, created })
    clock.advance(1_000)
    const second = await server.open(browser.request())
    expect(second.visitor).toEqual({ tag: valueIn(browser.jar, 'bb.o'), created })
    const token = valueIn(browser.jar, '__Host-bb') ?? ''
    expect(token).not.toContain(second.visitor?.tag)
  })
})

describe('clear', () => {
  it('deletes all bins and cookies, those of other names too', async () => {
    const { server, openBrowser } = openSite(
      defineBins(
        { theme: { storage: 'cookie' }, cart: {} },
        { others: { storage: 'cookie', schema: z.unknown() } },
      ),
    )
    const browser = openBrowser()
    await browser.visit((state) => {
      for (const name of ['theme', 'cart', 'any name']) state.set(name, 1)
    })
    const state = await server.open(browser.request())
    await state.clear()
    expect(state.names()).toEqual([])
    const response = take(browser.jar, await state.save(new Response()))
    expect(Object.keys(cookiesOf(response)).sort()).toEqual([
      '__Host-bb',
      'bb-any_20name',
      'bb-theme',
      'bb.o',
    ])
    expect(browser.jar.header()).toBe('')
    expect(await browser.visit((later) => later.names())).toEqual([])
  })

  it('gives up edits that were not saved', async () => {
    const { server, store, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    state.set('cart', 1)
    state.set('theme', 'dark')
    await state.clear()
    expect([state.get('cart'), state.get('theme')]).toEqual([undefined, 'light'])
    expect(cookiesOf(await state.save(new Response()))).toEqual({})
    expect(store.calls).toEqual([])
  })

  it('makes a new visitor of whoever goes on to write in the same request', async () => {
    const { openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const before = valueIn(browser.jar, '__Host-bb')
    await browser.visit(async (state) => {
      await state.clear()
      state.set('cart', ['apple'])
    })
    expect(valueIn(browser.jar, '__Host-bb')).not.toBe(before)
    expect(await browser.visit((state) => state.names())).toEqual(['cart'])
  })

  it('deletes the cookies again if the first answer was lost', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    await (await server.open(browser.request())).clear()
    const state = await server.open(browser.request())
    await state.clear()
    expect(Object.keys(cookiesOf(await state.save(new Response())))).toEqual(['__Host-bb', 'bb.o'])
  })
})

describe('save', () => {
  async function editedState() {
    const site = openSite(bins)
    const state = await site.server.open(site.openBrowser().request())
    state.set('theme', 'dark')
    return state
  }

  it('writes into a Response and returns it', async () => {
    const response = new Response('page', { status: 201 })
    const saved = await (await editedState()).save(response)
    expect(saved).toBe(response)
    expect(Object.keys(cookiesOf(saved))).toEqual(['bb-theme'])
  })

  it('copies a redirect, whose headers cannot be changed', async () => {
    const redirect = Response.redirect('https://example.org/next', 303)
    const saved = await (await editedState()).save(redirect)
    expect(saved).not.toBe(redirect)
    expect(saved.status).toBe(303)
    expect(saved.headers.get('location')).toBe('https://example.org/next')
    expect(Object.keys(cookiesOf(saved))).toEqual(['bb-theme'])
  })

  it('leaves a redirect as it is if there is nothing to tell', async () => {
    const { server, openBrowser } = openSite(bins)
    const redirect = Response.redirect('https://example.org/next')
    expect(await (await server.open(openBrowser().request())).save(redirect)).toBe(redirect)
  })

  it.each([204, 205, 304])('writes into a response of status %i', async (status) => {
    const saved = await (await editedState()).save(new Response(null, { status }))
    expect(saved.status).toBe(status)
    expect(saved.body).toBeNull()
    expect(Object.keys(cookiesOf(saved))).toEqual(['bb-theme'])
  })

  it('leaves a streamed body as it is', async () => {
    const body = new ReadableStream({
      start(controller) {
        for (const part of ['one ', 'two']) controller.enqueue(new TextEncoder().encode(part))
        controller.close()
      },
    })
    const saved = await (await editedState()).save(new Response(body))
    expect(saved.bodyUsed).toBe(false)
    expect(await saved.text()).toBe('one two')
  })

  it('copies a fetched response, with its body and its cookies', async () => {
    const origin = createServer((_, response) => {
      response.setHeader('set-cookie', ['a=1; Path=/', 'b=2'])
      response.setHeader('x-origin', 'yes')
      response.end('fetched')
    })
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
    const address = origin.address()
    const fetched = await fetch(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`)
    const saved = await (await editedState()).save(fetched)
    expect(saved.headers.get('x-origin')).toBe('yes')
    expect(saved.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2', expect.stringMatching(/^bb-theme=/)])
    expect(await saved.text()).toBe('fetched')
    await new Promise((resolve) => origin.close(resolve))
  })

  it('writes into Headers', async () => {
    const headers = new Headers({ 'x-one': '1' })
    expect(await (await editedState()).save(headers)).toBe(headers)
    expect(Object.keys(cookiesOf(headers))).toEqual(['bb-theme'])
  })

  it('writes into a ServerResponse', async () => {
    const response = new ServerResponse(new IncomingMessage(new Socket()))
    response.setHeader('set-cookie', 'foreign=1')
    response.setHeader('vary', ['Accept', 'Origin'])
    const state = await editedState()
    state.get('theme')
    expect(await state.save(response)).toBe(response)
    expect(response.getHeader('set-cookie')).toEqual(['foreign=1', expect.stringMatching(/^bb-theme=/)])
    expect(response.getHeader('vary')).toBe('Accept, Origin, Cookie')
  })

  it('replaces its own cookies the second time, and leaves foreign ones', async () => {
    const state = await editedState()
    const response = new Response()
    response.headers.append('set-cookie', 'foreign=1; Path=/')
    response.headers.append('set-cookie', 'bb-other-app=2')
    await state.save(response)
    state.set('theme', 'blue')
    await state.save(response)
    expect(response.headers.getSetCookie()).toEqual([
      'foreign=1; Path=/',
      'bb-other-app=2',
      expect.stringMatching(/^bb-theme=1\.1\.\w+\.\w+\.'{'json':'blue'}/),
    ])
  })

  it('takes back a cookie whose bin is deleted before the second time', async () => {
    const state = await editedState()
    const response = await state.save(new Response())
    state.set('theme', null)
    await state.save(response)
    expect(response.headers.getSetCookie()).toEqual([])
  })

  it('does without a response if no cookie is needed', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const state = await server.open(browser.request())
    state.set('visits', 2)
    expect(await state.save()).toBeUndefined()
    expect(await browser.visit((later) => later.get('visits'))).toBe(2)
  })

  it('asks for a response if a cookie is needed', async () => {
    const { server, store, openBrowser } = openSite(bins)
    const withCookie = await server.open(openBrowser().request())
    withCookie.set('theme', 'dark')
    await expect(withCookie.save()).rejects.toThrow(/pass the response/)
    const withVisitor = await server.open(openBrowser().request())
    withVisitor.set('visits', 1)
    await expect(withVisitor.save()).rejects.toThrow(TypeError)
    expect(store.calls).toEqual([])
    expect(Object.keys(cookiesOf(await withVisitor.save(new Response())))).toEqual(['__Host-bb', 'bb.o'])
  })

  it('asks for a response for the cookies of an update', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    const state = await server.open(browser.request())
    await state.update('visits', (visits) => visits + 1)
    await expect(state.save()).rejects.toThrow(/pass the response/)
    take(browser.jar, await state.save(new Response()))
    expect(await browser.visit((later) => later.get('visits'))).toBe(1)
  })

  it('leaves renewing a cookie to a save that has a response', async () => {
    const { server, openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    for (let week = 0; week < 10; week += 1) {
      clock.advance(7 * 86_400_000)
      const state = await server.open(browser.request())
      state.set('visits', week)
      if (week % 2 === 0) await state.save()
      else take(browser.jar, await state.save(new Response()))
    }
    expect(await browser.visit((state) => state.get('visits'))).toBe(9)
  })

  it('does not take a cookie for renewed that no response has carried', async () => {
    const { server, openBrowser, clock } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    clock.advance(7 * DAY)
    const state = await server.open(browser.request())
    state.set('visits', 2)
    await state.save()
    clock.advance(DAY)
    await browser.visit((later) => later.set('visits', 3))
    clock.advance(27 * DAY)
    expect(await browser.visit((later) => later.get('visits'))).toBe(3)
  })

  it('throws HEAD_SENT for a cookie that comes too late, and saves the rest', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const sent = new ServerResponse(new IncomingMessage(new Socket()))
    sent.writeHead(200)
    const state = await server.open(browser.request())
    state.set('theme', 'dark')
    await expect(state.save(sent)).rejects.toMatchObject({ code: 'HEAD_SENT' })
    state.set('theme', null)
    state.set('visits', 2)
    expect(await state.save(sent)).toBe(sent)
    expect(await browser.visit((later) => later.get('visits'))).toBe(2)
  })

  it.each<[string, 'visits' | 'theme', RegExp | undefined]>([
    ['saves', 'visits', undefined],
    ['says so if there is a cookie to set', 'theme', /HEAD_SENT/],
  ])('%s where the head goes out while the store writes', async (_, bin, failure) => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const response = new ServerResponse(new IncomingMessage(new Socket()))
    const state = await server.open(browser.request())
    state.set('visits', 2)
    if (bin === 'theme') state.set('theme', 'dark')
    const saving = state.save(response).then(
      () => undefined,
      (error) => error.code,
    )
    response.writeHead(200)
    expect(await saving).toEqual(failure ? 'HEAD_SENT' : undefined)
    expect(await browser.visit((later) => later.get('visits'))).toBe(2)
  })

  it.each([
    ['a string', 'hello'],
    ['a number', 200],
  ])('refuses %s for a response', async (_, response) => {
    const { server, openBrowser } = openSite(bins)
    const state = await server.open(openBrowser().request())
    await expect(state.save(response as never)).rejects.toThrow(/^save: pass the response/)
  })

  it('waits for a save that is under way, and writes nothing twice', async () => {
    const merging = defineBins({
      count: {
        schema: z.number(),
        default: 0,
        merge: (base = 0, mine = 0, theirs = 0) => theirs + mine - base,
      },
    })
    const { server, openBrowser, store } = openSite(merging)
    const browser = openBrowser()
    await browser.visit((state) => state.set('count', 1))
    const before = store.calls.length
    const state = await server.open(browser.request())
    state.set('count', 5)
    await Promise.all([state.save(), state.save(), state.update('count', (count) => count + 1)])
    expect(await browser.visit((later) => later.get('count'))).toBe(6)
    expect(store.calls.slice(before).filter((call) => call === 'write')).toHaveLength(2)
  })

  it('keeps an edit that is made while another one is being saved', async () => {
    const memory = memoryStore()
    const { openBrowser, clock } = openSite(bins, { store: memory })
    const browser = openBrowser()
    await browser.visit((state) => state.set('visits', 1))
    const store = gatedStore(memory)
    const { server } = openSite(bins, { store, clock })
    const state = await server.open(browser.request())
    state.set('visits', 2)
    const saving = state.save()
    await store.isWaitedFor
    store.open()
    state.set('visits', 3)
    state.set('cart', ['apple'])
    await saving
    expect([state.get('visits'), state.get('cart')]).toEqual([3, ['apple']])
    await state.save()
    expect(await browser.visit((later) => [later.get('visits'), later.get('cart')])).toEqual([3, ['apple']])
  })
})

describe('handle', () => {
  it('may be inside another one, and cookies come too late after the outer one alone', async () => {
    const { server, openBrowser } = openSite(bins)
    const request = openBrowser().request()
    const response = await server.handle(request, async (state) => {
      const inner = await server.handle(request, (same) => {
        same.set('theme', 'dark')
        return new Response('page')
      })
      state.set('theme', 'light')
      return inner
    })
    expect(await response.text()).toBe('page')
    const state = await server.open(request)
    expect(state.get('theme')).toBe('light')
    expect(() => state.set('theme', 'dark')).toThrow(expect.objectContaining({ code: 'HEAD_SENT' }))
    expect(response.headers.getSetCookie()).toEqual([expect.stringContaining("'light'")])
  })

  it('opens, runs and saves', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    const response = await server.handle(
      browser.request(),
      (state) => {
        state.set('theme', 'dark')
        return new Response(String(state.get('theme')))
      },
      { bins: ['theme'] },
    )
    expect(await response.text()).toBe('dark')
    expect(Object.keys(cookiesOf(response))).toEqual(['bb-theme'])
  })

  it.each([500, 503, 599])('saves nothing with status %i', async (status) => {
    const { server, store, openBrowser } = openSite(bins)
    const response = await server.handle(openBrowser().request(), (state) => {
      state.set('theme', 'dark')
      state.set('visits', 1)
      return new Response('broken', { status })
    })
    expect(cookiesOf(response)).toEqual({})
    expect(store.calls).toEqual([])
  })

  it('keeps what was saved before the status turned out to be 500', async () => {
    const { server, openBrowser } = openSite(bins)
    const browser = openBrowser()
    const response = await server.handle(browser.request(), async (state) => {
      state.set('theme', 'dark')
      state.set('visits', 1)
      await state.save(new Response())
      state.set('theme', 'blue')
      state.set('visits', 2)
      state.set('variant', 'b')
      return new Response('broken', { status: 500 })
    })
    take(browser.jar, response)
    const kept = await browser.visit((state) => [
      state.get('theme'),
      state.get('visits'),
      state.get('variant'),
    ])
    expect(kept).toEqual(['dark', 1, undefined])
  })

  it('saves nothing if the handler throws', async () => {
    const { server, store, openBrowser } = openSite(bins)
    const handled = server.handle(openBrowser().request(), (state) => {
      state.set('visits', 1)
      throw new Error('early')
    })
    await expect(handled).rejects.toThrow('early')
    expect(store.calls).toEqual([])
  })

  it('opens all bins if it is not told which', async () => {
    const { server, openBrowser } = openSite(bins)
    const request = requestWith(openBrowser().jar)
    const response = await server.handle(request, (state) => Response.json(state.get('visits')))
    expect(await response.json()).toBe(0)
  })
})
