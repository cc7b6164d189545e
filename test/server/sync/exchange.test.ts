import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { AnswerPart, SyncAnswer, WireOp } from '../../../src/core/sync/wire.ts'
import type { ServerOptions } from '../../../src/server/options.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { DAY, HOUR, MINUTE } from '../../support/clock.ts'
import { type CookieJar, ORIGIN, take } from '../../support/sites/http.ts'
import { cookiesOf, openSite, type Site, valueIn } from '../../support/sites/requests.ts'
import { coded, codedJson } from '../../support/wire.ts'

const strings = z.array(z.string())

const bins = defineBins({
  cart: { schema: strings, browser: 'write' },
  profile: { schema: z.record(z.string(), z.string()), browser: 'write', merge: 'fields' },
  chosen: { schema: z.string(), browser: 'write', merge: 'server' },
  tab: { schema: z.string(), browser: 'write', maxAge: 'session' },
  trap: {
    schema: z.string().check(z.refine((text) => text.length < 1_000 || trap())),
    browser: 'write',
  },
  moved: { schema: z.string(), browser: 'write', version: 2, migrate: (data) => `migrated ${data}` },
  plan: { browser: 'read' },
  seen: {},
  theme: { storage: 'cookie' },
  draft: { storage: 'device' },
  fast: { schema: z.string(), browser: 'write', store: 'fast' },
})

function trap(): never {
  throw new Error('the schema is broken')
}

type Bins = typeof bins

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** For each character of base64url, the next one: it differs in the last bit. */
const NEXT = ALPHABET.slice(1)

/** An op as a client sends it. */
function op(bin: string, data: unknown, changed: Partial<WireOp> = {}): WireOp {
  const content = data === null ? { gone: true as const } : { text: codedJson(data) }
  return { n: 1, bin, base: null, age: 0, sv: 1, ...content, ...changed }
}

interface SyncOptions {
  readonly tag?: string | null
  readonly store?: string
  readonly cursor?: string | null
  readonly client?: string
}

interface Synced {
  readonly status: number
  readonly response: Response
  readonly answer: SyncAnswer
  /** The first part; an empty one if there is none. */
  readonly part: AnswerPart
}

/** A browser that syncs by hand. */
function openClient(site: Site<Bins>) {
  const { jar, visit } = site.openBrowser()

  async function sync(ops: WireOp[], options: SyncOptions = {}): Promise<Synced> {
    const {
      tag = valueIn(jar, 'bb.o') ?? null,
      store = 'default',
      cursor = null,
      client = 'client',
    } = options
    const body = { v: 1, client, parts: [{ owner: 'visitor', store, tag, cursor, ops }] }
    return post(site, jar, body)
  }

  return { jar, visit, sync }
}

async function post(site: Site<Bins>, jar: CookieJar, body: unknown): Promise<Synced> {
  const request = new Request(`${ORIGIN}/bins/sync`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', cookie: jar.header() },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const response = take(jar, await site.server.fetch(request))
  const answer: SyncAnswer = await response.clone().json()
  const none = { store: '', tag: '', cursor: '', results: [], changes: [] }
  return { status: response.status, response, answer, part: answer.parts?.[0] ?? none }
}

function open(options: ServerOptions = {}) {
  const site = openSite(bins, { ...options, stores: { fast: memoryStore(), ...options.stores } })
  return { ...site, ...openClient(site), site }
}

/** A client with a visitor whose record is empty. */
async function openVisitor(options: ServerOptions = {}) {
  const opened = open(options)
  await opened.sync([op('cart', ['first'])])
  return opened
}

describe('a sync without a visitor', () => {
  it('makes one, and applies nothing, until its cookie comes back', async () => {
    const { sync, jar, store } = open()
    const first = await sync([op('cart', ['apple'])])
    expect([first.status, first.answer]).toEqual([200, { v: 1, parts: [], minted: true }])
    expect(Object.keys(cookiesOf(first.response))).toEqual(['__Host-bb', 'bb.o'])
    expect((await store.scan?.(undefined, 5))?.entries[0]?.[1].text).not.toContain('apple')
    const second = await sync([op('cart', ['apple'])])
    expect(second.part).toMatchObject({ tag: valueIn(jar, 'bb.o'), results: [{ n: 1, state: 'ok' }] })
    expect(cookiesOf(second.response)['__Host-bb']).toMatchObject({ maxAge: 33 * 86_400 })
  })

  it('makes none if there is nothing to keep', async () => {
    const { sync, store } = open()
    const { status, answer, response } = await sync([])
    expect([status, answer]).toEqual([200, { v: 1, parts: [] }])
    expect(response.headers.getSetCookie()).toEqual([])
    expect(store.calls).toEqual([])
  })

  it('makes one that is gone after some minutes if it never comes back', async () => {
    const { sync, store, clock } = open()
    await sync([op('cart', ['apple'])])
    clock.advance(11 * 60_000)
    expect(await store.sweep(clock(), 10)).toBe(1)
  })

  it('is told that it is nobody if it believes to be somebody', async () => {
    const { sync, store } = open()
    const { status, answer, response } = await sync([op('cart', ['apple'])], { tag: 'A'.repeat(16) })
    expect([status, answer]).toEqual([409, { error: 'wrong-owner', tag: null, user: null }])
    expect(response.headers.getSetCookie()).toEqual([])
    expect(store.calls).toEqual([])
  })

  it('does not adopt an id that nobody has', async () => {
    const { sync, jar, store, events } = open()
    jar.set(`__Host-bb=${'A'.repeat(22)}.${'B'.repeat(43)}; Max-Age=1000`)
    expect((await sync([op('cart', ['apple'])])).answer).toMatchObject({ minted: true })
    expect(events.types).toEqual(['unknown-visitor'])
    const [[key] = ['']] = (await store.scan?.(undefined, 5))?.entries ?? []
    expect(key).not.toContain('AAAA')
    expect(valueIn(jar, '__Host-bb')).not.toContain('AAAA')
  })
})

describe('a sync of another visitor', () => {
  it('is told whose cookie it has, is given both cookies again, and applies nothing', async () => {
    const { sync, jar, visit, clock } = await openVisitor()
    clock.advance(10 * MINUTE)
    const tag = valueIn(jar, 'bb.o')
    for (const stated of [null, 'A'.repeat(16)]) {
      const { status, answer, response } = await sync([op('cart', ['apple'])], { tag: stated })
      expect([status, answer]).toEqual([409, { error: 'wrong-owner', tag, user: null }])
      expect(Object.keys(cookiesOf(response))).toEqual(['__Host-bb', 'bb.o'])
    }
    expect(await visit((state) => state.has('cart'))).toBe(false)
  })

  it('applies nothing if only one of its parts is wrong', async () => {
    const { site, jar, visit } = await openVisitor()
    const part = { owner: 'visitor', store: 'default', tag: valueIn(jar, 'bb.o'), cursor: null }
    const body = {
      v: 1,
      client: 'client',
      parts: [
        { ...part, ops: [op('cart', ['apple'])] },
        { ...part, store: 'fast', tag: null, ops: [] },
      ],
    }
    expect((await post(site, jar, body)).status).toBe(409)
    expect(await visit((state) => state.has('cart'))).toBe(false)
  })
})

describe('an op', () => {
  it('is kept, and read by the pages', async () => {
    const { sync, visit, clock } = await openVisitor()
    const { part } = await sync([op('cart', ['apple']), op('profile', { name: 'Ada' }, { n: 2 })])
    const ttl = 30 * DAY
    expect(part.results).toEqual([
      { n: 1, bin: 'cart', state: 'ok', seen: 1, rev: clock() + 1, sv: 1, text: codedJson(['apple']), ttl },
      {
        n: 2,
        bin: 'profile',
        state: 'ok',
        seen: 2,
        rev: clock() + 2,
        sv: 1,
        text: codedJson({ name: 'Ada' }),
        ttl,
      },
    ])
    expect(part.changes).toEqual([])
    expect(await visit((state) => [state.get('cart'), state.get('profile')])).toEqual([
      ['apple'],
      { name: 'Ada' },
    ])
  })

  it('is kept once, however often it comes', async () => {
    const { sync, visit } = await openVisitor()
    await sync([op('cart', ['apple'], { n: 5 })])
    await visit((state) => state.update('cart', (cart = []) => [...cart, 'pear']))
    for (const n of [5, 4]) {
      const { part } = await sync([op('cart', ['apple'], { n })])
      expect(part.results).toMatchObject([{ n, state: 'dup', seen: 5, text: codedJson(['apple', 'pear']) }])
    }
    expect(await visit((state) => state.get('cart'))).toEqual(['apple', 'pear'])
  })

  it('of another client has numbers of its own', async () => {
    const { sync } = await openVisitor()
    const { part } = await sync([op('cart', ['apple'])])
    const base = part.results[0]?.rev ?? 0
    const other = await sync([op('cart', ['pear'], { base })], { client: 'other' })
    expect(other.part.results).toMatchObject([{ state: 'ok', seen: 1 }])
  })

  it.each([
    ['latest, and later', 'cart', ['mine'], 0, 'ok'],
    ['latest, and earlier', 'cart', ['mine'], HOUR, 'superseded'],
    ['fields', 'profile', { name: 'mine' }, 0, 'conflict'],
    ['server', 'chosen', 'mine', 0, 'superseded'],
  ] as const)('on top of something older is judged by the rule: %s', async (_, bin, mine, age, state) => {
    const { sync, visit, clock } = await openVisitor()
    const theirs = { cart: ['theirs'], profile: { name: 'theirs' }, chosen: 'theirs' }[bin]
    await visit((page) => page.set(bin, theirs as never))
    clock.advance(1_000)
    const { part } = await sync([op(bin, mine, { base: clock() - 10 * DAY, age })])
    const kept = state === 'ok' ? mine : theirs
    expect(part.results).toMatchObject([{ state, seen: state === 'ok' ? 1 : 0, text: codedJson(kept) }])
    expect(await visit((page) => page.get(bin))).toEqual(kept)
  })

  it('that was never pulled overwrites nothing', async () => {
    const { sync, visit } = await openVisitor()
    await visit((page) => page.set('cart', ['theirs']))
    const { part } = await sync([op('cart', ['mine'], { base: null })])
    expect(part.results).toMatchObject([{ state: 'conflict', text: codedJson(['theirs']) }])
  })

  it('of an update overwrites nothing, whatever the rule', async () => {
    const { sync, visit } = await openVisitor()
    await visit((page) => page.set('cart', ['theirs']))
    const { part } = await sync([op('cart', ['mine'], { base: 0, strict: true })])
    expect(part.results).toMatchObject([{ state: 'conflict' }])
  })

  it('deletes, and does not bring back what was deleted', async () => {
    const { sync, visit, clock } = await openVisitor()
    const { part } = await sync([op('cart', ['apple'])])
    const base = part.results[0]?.rev ?? 0
    clock.advance(1_000)
    const deleted = await sync([op('cart', null, { n: 2, base })])
    expect(deleted.part.results).toEqual([
      { n: 2, bin: 'cart', state: 'ok', seen: 2, rev: clock(), sv: 1, gone: true },
    ])
    clock.advance(1_000)
    const late = await sync([op('cart', ['late'], { n: 3, base, age: 1_500 })], { client: 'other' })
    expect(late.part.results).toMatchObject([{ state: 'superseded', gone: true }])
    expect(await visit((page) => page.has('cart'))).toBe(false)
  })

  it.each([
    ['the browser may only read', 'plan'],
    ['the browser never sees', 'seen'],
    ['is kept in a cookie', 'theme'],
    ['is kept on the device', 'draft'],
    ['lives in another store', 'fast'],
    ['nobody defined', 'unknown'],
    ['is called like something in JavaScript', '__proto__'],
    ['is called like a method', 'toString'],
  ])('is denied for a bin that %s', async (_, bin) => {
    const { sync, store } = await openVisitor()
    const before = store.calls.length
    for (const data of ['anything', null]) {
      const { part } = await sync([op(bin, data)])
      expect(part.results).toEqual([{ n: 1, bin, state: 'denied', seen: 0 }])
    }
    expect(store.calls.slice(before)).not.toContain('write')
  })

  it('is denied without a word about what is there', async () => {
    const { sync, visit } = await openVisitor()
    await visit((page) => page.set('seen', 'precious'))
    for (const data of ['anything', null]) {
      const { part } = await sync([op('seen', data)])
      expect(part.results).toEqual([{ n: 1, bin: 'seen', state: 'denied', seen: 0 }])
      expect(inspect(part, { depth: 9 })).not.toMatch(/precious|text:/)
    }
  })

  it('is refused with the issues of the schema, without the data', async () => {
    const { sync, events } = await openVisitor()
    const { part } = await sync([op('cart', ['apple', 12345678])])
    expect(part.results).toEqual([
      {
        n: 1,
        bin: 'cart',
        state: 'invalid',
        seen: 0,
        issues: [{ message: expect.any(String), path: ['1'] }],
      },
    ])
    expect(inspect(part, { depth: 9 })).not.toMatch(/12345678|text:/)
    expect(events.all).toEqual([])
  })

  it.each([
    ['no superjson', 'hello'],
    ['nothing', null],
    ['an annotation that does not fit', { json: 1, meta: { values: ['Date'], v: 1 } }],
    ['a typed array', { json: 1_000_000_000, meta: { values: [['typed-array', 'Int8Array']], v: 1 } }],
    ['a prototype', { json: { ['__proto__']: { admin: true } } }],
    ['a tree that is too deep', { json: JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`) }],
  ])('is refused if its data is %s', async (_, data) => {
    const { sync } = await openVisitor()
    const { part } = await sync([{ ...op('cart', []), text: coded(JSON.stringify(data)) }])
    expect(part.results).toMatchObject([{ state: 'invalid', issues: [{ message: expect.any(String) }] }])
    expect(Object.prototype).not.toHaveProperty('admin')
  })

  it('is refused if it is nested so deeply that nothing can format it', async () => {
    const { sync } = await openVisitor()
    const nested = `{"json":${'['.repeat(8_000)}${']'.repeat(8_000)}}`
    const { part } = await sync([{ ...op('cart', []), text: coded(nested) }])
    expect(part.results).toMatchObject([{ state: 'invalid' }])
  })

  it.each([
    ['other characters', 'no base64url!'],
    ['white space', ` ${codedJson(['a'])}`],
    ['padding', `${codedJson(['a'])}=`],
    ['the characters of base64', codedJson(['>>>???']).replaceAll('-', '+').replaceAll('_', '/')],
    ['bits that no byte takes', codedJson(['a']).replace(/.$/, (last) => NEXT[ALPHABET.indexOf(last)] ?? '')],
    ['bytes that are no UTF-8', Buffer.from('{"json":"\xff"}', 'latin1').toString('base64url')],
    ['nothing', ''],
  ])('is refused if its text has %s, and no other op with it', async (_, text) => {
    const { sync, events } = await openVisitor()
    const { status, part } = await sync([{ ...op('cart', []), text }, op('chosen', 'mine', { n: 2 })])
    expect(status).toBe(200)
    expect(part.results).toMatchObject([
      { state: 'invalid', issues: [{ message: expect.any(String) }] },
      { state: 'ok' },
    ])
    expect(events.all).toEqual([])
  })

  it.each(['{"json":["a", "b"]}', '{"json":["\\u0061"]}', '{"json":["a"],"meta":{"values":{},"v":1}}'])(
    'is refused if its text is one that this program does not write: %s',
    async (text) => {
      const { sync } = await openVisitor()
      const { part } = await sync([{ ...op('cart', []), text: coded(text) }])
      expect(part.results).toMatchObject([{ state: 'invalid' }])
    },
  )

  it('is refused if the schema or the migration breaks on it, and no other op with it', async () => {
    const { sync, events, visit } = await openVisitor()
    const { status, part } = await sync([op('trap', 'x'.repeat(2_000)), op('cart', ['apple'], { n: 2 })])
    expect(status).toBe(200)
    expect(part.results).toMatchObject([{ state: 'invalid' }, { state: 'ok' }])
    expect(events.types).toEqual(['sync-failed'])
    expect(await visit((page) => page.get('cart'))).toEqual(['apple'])
  })

  it('is refused if it alone, or with the others, is too large', async () => {
    const { sync, events } = await openVisitor()
    const [most, more] = [16_384, 16_385].map((bytes) => 'x'.repeat(bytes - '{"json":""}'.length))
    const ops = [op('tab', more), op('cart', ['x'.repeat(20_000)]), op('fast', most)]
    const { part: larger } = await sync(ops, { store: 'default' })
    expect(larger.results.map(({ state }) => state)).toEqual(['too-large', 'too-large', 'denied'])
    // The schema of this one would break on it.
    expect((await sync([op('trap', more)])).part.results).toMatchObject([{ state: 'too-large' }])
    expect(events.all).toEqual([])
    const { part: largest } = await sync([op('fast', most)], { store: 'fast' })
    expect(largest.results.map(({ state }) => state)).toEqual(['ok'])
    const text = 'x'.repeat(16_000)
    const { part } = await sync([
      op('cart', [text], { n: 1 }),
      op('profile', { text }, { n: 2 }),
      op('chosen', text, { n: 3 }),
      op('tab', text, { n: 4 }),
      op('moved', text, { n: 5 }),
    ])
    expect(part.results.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok', 'too-large'])
  })

  it('of an older version is migrated, of a newer one refused', async () => {
    const { sync, visit } = await openVisitor()
    const { part } = await sync([op('moved', 'old', { sv: 1 }), op('cart', ['new'], { n: 2, sv: 2 })])
    expect(part.results).toMatchObject([
      { state: 'ok', sv: 2, text: codedJson('migrated old') },
      { state: 'outdated' },
    ])
    expect(await visit((page) => [page.get('moved'), page.has('cart')])).toEqual(['migrated old', false])
  })

  it('starts a browser session, if its bin needs one', async () => {
    const { sync, visit, jar } = await openVisitor()
    const { response } = await sync([op('tab', 'one')])
    expect(Object.keys(cookiesOf(response))).toContain('bb.s')
    expect(await visit((page) => page.get('tab'))).toBe('one')
    jar.restart()
    expect(await visit((page) => page.has('tab'))).toBe(false)
    const { part } = await sync([])
    expect(part.changes).toMatchObject([{ bin: 'tab', gone: true }])
  })

  it('lets the cookie live as long as its bin, in every store', async () => {
    const { sync, visit, clock } = await openVisitor()
    await sync([op('fast', 'value')], { store: 'fast' })
    clock.advance(29 * DAY)
    expect(await visit((page) => page.get('fast'))).toBe('value')
  })
})

describe('a pull', () => {
  it('gets what the browser may see, and nothing else', async () => {
    const { sync, visit, clock } = await openVisitor()
    await visit((page) => {
      page.set('cart', ['apple'])
      page.set('plan', 'gold')
      page.set('seen', 'secret')
      page.set('fast', 'elsewhere')
    })
    const { part } = await sync([])
    expect(part).toMatchObject({ store: 'default', reset: true, results: [] })
    expect(part.changes).toEqual([
      { bin: 'cart', rev: clock() + 1, sv: 1, text: codedJson(['apple']), ttl: 30 * DAY },
      { bin: 'plan', rev: clock() + 2, sv: 1, text: codedJson('gold'), ttl: 30 * DAY },
    ])
    const fast = await sync([], { store: 'fast' })
    expect(fast.part.changes).toMatchObject([{ bin: 'fast' }])
  })

  it('does not get what was the server’s alone before a definition changed', async () => {
    const store = memoryStore()
    const before = openSite(defineBins({ theme: {}, draft: {}, gone: {}, fast: {} }), { store })
    const browser = before.openBrowser()
    await browser.visit((page) => {
      for (const name of ['theme', 'draft', 'gone', 'fast'] as const) page.set(name, 'secret')
    })
    const { site } = open({ store })
    const body = {
      v: 1,
      client: 'client',
      parts: [
        { owner: 'visitor', store: 'default', tag: valueIn(browser.jar, 'bb.o'), cursor: null, ops: [] },
      ],
    }
    expect((await post(site, browser.jar, body)).part.changes).toEqual([])
  })

  it('gets what has changed since its cursor', async () => {
    const { sync, visit, clock } = await openVisitor()
    await visit((page) => page.set('cart', ['apple']))
    const { cursor } = (await sync([])).part
    clock.advance(1_000)
    await visit((page) => {
      page.set('plan', 'gold')
      page.set('cart', null)
    })
    const { part } = await sync([], { cursor })
    expect(part).not.toHaveProperty('reset')
    expect(part.changes).toMatchObject([
      { bin: 'cart', gone: true },
      { bin: 'plan', text: codedJson('gold') },
    ])
    expect((await sync([], { cursor: part.cursor })).part.changes).toEqual([])
  })

  it('does not get its own ops again', async () => {
    const { sync, visit } = await openVisitor()
    const { cursor } = (await sync([])).part
    await visit((page) => page.set('plan', 'gold'))
    const { part } = await sync([op('cart', ['apple']), op('unknown', 1, { n: 2 })], { cursor })
    expect(part.changes).toMatchObject([{ bin: 'plan' }])
  })

  it.each([
    ['of another life', (cursor: string) => cursor.replace(/^[^.]+/, 'another')],
    ['of a future that was lost', (cursor: string) => cursor.replace(/\.\d+\./, '.99999999999999.')],
    ['of a change that was lost', (cursor: string) => cursor.replace(/[^.]+$/, 'another')],
    ['that is none', () => 'rubbish'],
  ])('gets everything for a cursor %s', async (_, change) => {
    const { sync, visit } = await openVisitor()
    await visit((page) => page.set('cart', ['apple']))
    const { cursor } = (await sync([])).part
    const { part } = await sync([], { cursor: change(cursor) })
    expect(part).toMatchObject({ cursor, reset: true, changes: [{ bin: 'cart' }] })
  })

  it('gets everything if the server went back in time', async () => {
    const { sync, visit, store, clock } = await openVisitor()
    await visit((page) => page.set('cart', ['apple']))
    const [[key, stored] = ['', undefined]] = (await store.scan?.(undefined, 5))?.entries ?? []
    await visit((page) => page.set('plan', 'gold'))
    const { cursor } = (await sync([])).part
    await store.delete(key)
    if (stored) await store.write(key, stored, 0, clock())
    const { part } = await sync([], { cursor })
    expect(part).toMatchObject({ reset: true, changes: [{ bin: 'cart' }] })
  })

  it('knows a store that holds nothing yet', async () => {
    const { sync } = await openVisitor()
    const { part } = await sync([], { store: 'fast' })
    expect(part).toMatchObject({ changes: [], reset: true })
    const again = await sync([], { store: 'fast', cursor: part.cursor })
    expect([again.status, again.part.changes]).toEqual([200, []])
  })

  it('is refused for a store that holds no bin', async () => {
    const { sync } = await openVisitor()
    const { status, answer } = await sync([], { store: 'unknown' })
    expect([status, answer]).toEqual([400, { error: 'store' }])
  })

  it('tells in how many ms a bin ends, and nothing of one that has', async () => {
    const { sync, visit, clock } = await openVisitor()
    await visit((page) => page.set('cart', ['apple']))
    clock.advance(29 * DAY)
    await visit((page) => page.set('plan', 'gold'))
    expect((await sync([])).part.changes).toMatchObject([
      { bin: 'cart', ttl: DAY },
      { bin: 'plan', ttl: 30 * DAY },
    ])
    clock.advance(DAY)
    expect((await sync([])).part.changes).toMatchObject([{ bin: 'cart', gone: true }, { bin: 'plan' }])
  })
})

describe('a visitor who was cleared', () => {
  it('is told so, and when', async () => {
    const { sync, server, openBrowser, jar, clock } = await openVisitor()
    await sync([op('cart', ['apple'])])
    const tag = valueIn(jar, 'bb.o') ?? ''
    const other = openBrowser()
    for (const pair of jar.header().split('; ')) other.jar.set(`${pair}; Max-Age=100000`)
    await (await server.open(other.request())).clear()
    clock.advance(1_500)
    const { status, answer, response } = await sync([op('cart', ['late'], { n: 2 })])
    expect(status).toBe(200)
    expect(answer.parts).toEqual([
      { store: 'default', tag, cursor: '0.0.0', results: [], changes: [], erased: 1_500 },
    ])
    expect(response.headers.getSetCookie()).toEqual([])
  })

  it('says nothing to a replica of somebody else', async () => {
    const { sync, visit } = await openVisitor()
    await sync([op('cart', ['apple'])])
    const { jar } = await visit(async (state) => {
      await state.clear()
      return { jar: undefined }
    })
    expect(jar).toBeUndefined()
    const { status, answer } = await sync([op('cart', ['late'])], { tag: 'A'.repeat(16) })
    expect([status, answer]).toEqual([409, { error: 'wrong-owner', tag: null, user: null }])
  })

  it('gets a new visitor for what is edited after that', async () => {
    const { sync, server, jar } = await openVisitor()
    await sync([op('cart', ['apple'])])
    const before = valueIn(jar, '__Host-bb')
    const headers = { cookie: jar.header() }
    await (await server.open(new Request(ORIGIN, { headers }))).clear()
    expect((await sync([op('cart', ['new'])], { tag: null })).answer).toMatchObject({ minted: true })
    expect(valueIn(jar, '__Host-bb')).not.toBe(before)
    const { part } = await sync([op('cart', ['new'])])
    expect(part.results).toMatchObject([{ state: 'ok' }])
  })
})

describe('a sync with a store that fails', () => {
  it('is no answer: neither a snapshot, nor a cookie, nor an op is lost', async () => {
    const memory = memoryStore()
    const { sync, visit, jar } = await openVisitor({ store: memory })
    await sync([op('cart', ['apple'])])
    const calls = 3
    for (let failOn = 1; failOn <= calls; failOn += 1) {
      const failing = open({ store: faultyStore(memory, { failOn }) })
      const tag = valueIn(jar, 'bb.o')
      const ops = [op('chosen', `${failOn}`, { n: 10 + failOn, base: null })]
      const body = {
        v: 1,
        client: 'client',
        parts: [{ owner: 'visitor', store: 'default', tag, cursor: null, ops }],
      }
      const { status, answer, response } = await post(failing.site, jar, body)
      expect([failOn, status, answer]).toEqual([failOn, 503, { error: 'unavailable' }])
      expect(response.headers.getSetCookie()).toEqual([])
    }
    expect(await visit((page) => [page.get('cart'), page.has('chosen')])).toEqual([['apple'], false])
  })

  it('does not take a visitor who was evicted meanwhile for an empty one', async () => {
    const memory = memoryStore()
    const { jar, sync } = await openVisitor({ store: memory })
    await sync([op('cart', ['apple'])])
    let reads = 0
    const forgetting: Store = {
      ...memory,
      async read(key, options) {
        reads += 1
        return reads > 1 ? undefined : memory.read(key, options)
      },
    }
    const { site } = open({ store: forgetting })
    const tag = valueIn(jar, 'bb.o')
    const part = { owner: 'visitor', store: 'default', tag, cursor: null, ops: [] }
    expect((await post(site, jar, { v: 1, client: 'client', parts: [part] })).status).toBe(503)
  })

  it('does not take a failing store of some bins for an empty one', async () => {
    const { sync } = await openVisitor({ stores: { fast: faultyStore(memoryStore(), { failOn: 1 }) } })
    expect((await sync([], { store: 'fast' })).status).toBe(503)
  })

  it('does not take a record that it cannot read for an empty one', async () => {
    const fast = memoryStore()
    const { sync, clock } = await openVisitor({ stores: { fast } })
    await sync([op('fast', 'value')], { store: 'fast' })
    const [[key] = ['']] = (await fast.scan?.(undefined, 5))?.entries ?? []
    await fast.delete(key)
    await fast.write(key, { version: 1, text: '{"v":2}', expires: clock() + DAY }, 0, clock())
    expect((await sync([], { store: 'fast' })).status).toBe(503)
    expect((await sync([op('fast', 'new', { n: 2 })], { store: 'fast' })).status).toBe(503)
    expect((await fast.read(key, { now: clock() }))?.text).toBe('{"v":2}')
  })

  it('does not take a visitor that it cannot read for nobody', async () => {
    const { sync, jar, store, clock } = await openVisitor()
    const [[key] = ['']] = (await store.scan?.(undefined, 5))?.entries ?? []
    await store.delete(key)
    await store.write(key, { version: 1, text: '{"v":2}', expires: clock() + DAY }, 0, clock())
    const before = valueIn(jar, '__Host-bb')
    expect((await sync([op('cart', ['apple'])])).status).toBe(503)
    expect((await sync([op('cart', ['apple'])], { tag: null })).status).toBe(503)
    expect(valueIn(jar, '__Host-bb')).toBe(before)
  })
})

describe('the cookies of a sync', () => {
  it('are never deleted, not even with the last bin', async () => {
    const { sync, clock, store } = await openVisitor()
    const { part } = await sync([op('cart', ['apple'])])
    const base = part.results[0]?.rev ?? 0
    clock.advance(10 * MINUTE)
    const { response } = await sync([op('cart', null, { n: 2, base })])
    expect(response.headers.getSetCookie()).toEqual([])
    clock.advance(DAY)
    expect(await store.sweep(clock(), 10)).toBe(0)
  })

  it('are sent once more soon after, since an answer may get lost', async () => {
    const { sync, clock } = await openVisitor()
    await sync([op('cart', ['apple'])])
    clock.advance(10 * MINUTE - 1)
    const again = cookiesOf((await sync([])).response)['__Host-bb']?.maxAge
    clock.advance(1)
    const later = (await sync([])).response.headers.getSetCookie()
    expect([again, later]).toEqual([33 * 86_400 - 600, []])
  })

  it('are renewed with the bins, and then only', async () => {
    const { sync, clock } = await openVisitor()
    const ages: unknown[] = []
    let base = (await sync([op('cart', ['0'])])).part.results[0]?.rev ?? 0
    for (let round = 1; round < 5; round += 1) {
      clock.advance(2 * DAY)
      const { response, part } = await sync([op('cart', [`${round}`], { n: round + 1, base })])
      base = part.results[0]?.rev ?? 0
      ages.push(cookiesOf(response)['__Host-bb']?.maxAge)
    }
    expect(ages).toEqual([undefined, 33 * 86_400, undefined, 33 * 86_400])
  })
})
