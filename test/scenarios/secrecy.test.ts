import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import * as z from 'zod/mini'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { Store } from '../../src/stores/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { ORIGIN, requestWith, take } from '../support/sites/http.ts'
import { openSite, SECRETS, valueIn } from '../support/sites/requests.ts'
import { codedJson } from '../support/wire.ts'

/** What must be found nowhere but where it is kept. */
const DATA = 'private-data-of-somebody'
const USER = 'user-id-of-somebody'

const bins = defineBins({
  theme: { schema: z.object({ note: z.string() }), storage: 'cookie' },
  signed: { storage: 'cookie', browser: 'read' },
  sealed: { storage: 'cookie', browser: 'none', version: 2 },
  history: { schema: z.array(z.string()), default: [], browser: 'write' },
  secret: { default: '' },
  profile: { schema: z.array(z.string()), default: [], scope: 'user', browser: 'write' },
})

/** A store that remembers all that was ever in it. */
function recording(store: Store): Store & { readonly dump: string[] } {
  const dump: string[] = []
  return {
    ...store,
    dump,
    write(key, next, expected, now) {
      dump.push(key, next.text)
      return store.write(key, next, expected, now)
    },
  }
}

/** Everything in an error or event: messages, stacks, causes, and properties that nobody enumerates. */
function textOf(value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null || depth > 6) return String(value)
  const names = value instanceof Error ? [...Object.getOwnPropertyNames(value)] : Object.keys(value)
  return names.map((name) => `${name}: ${textOf(Reflect.get(value, name), depth + 1)}`).join('\n')
}

/** All parts of a browser's cookies that open something, whole or in part. */
function tokensOf(jar: { header(): string }): string[] {
  const cookies = jar.header().split('; ')
  const token = cookies.find((each) => each.startsWith('__Host-bb='))?.slice('__Host-bb='.length) ?? ''
  const sealed =
    cookies
      .find((each) => each.startsWith('bb-sealed='))
      ?.split('.')
      .at(-1) ?? ''
  return [token, ...token.split('.'), sealed, ...SECRETS].filter((part) => part !== '')
}

/** A visit of everything that a site can do, with data and a user that must not be told. */
async function live(options: { store?: Store } = {}) {
  let user: string | null = null
  const site = openSite(bins, { ...options, user: () => user })
  const browser = site.openBrowser()
  const { jar } = browser
  const thrown: unknown[] = []
  const attempt = async (run: () => unknown) => {
    try {
      await run()
    } catch (error) {
      thrown.push(error)
    }
  }
  const visit = (use: (state: Awaited<ReturnType<typeof site.server.open>>) => unknown) =>
    attempt(() => browser.visit(use))
  const sync = (body: unknown) =>
    attempt(async () => {
      const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const response = await site.server.fetch(
        requestWith(jar, '/bins/sync', { method: 'POST', headers, body: text }),
      )
      take(jar, response)
    })

  await visit((state) => {
    state.set('theme', { note: DATA })
    state.set('signed', DATA)
    state.set('sealed', DATA)
    state.set('history', [DATA])
    state.set('secret', DATA)
  })
  // Mistakes.
  await visit((state) => state.set('theme', DATA as never))
  await visit((state) => state.set('history', [{ [DATA]: DATA }] as never))
  await visit((state) => state.set('signed', () => DATA))
  await visit((state) => state.set('secret', DATA.repeat(1_000)))
  await visit((state) => state.set('signed', DATA.repeat(1_000)))
  await visit((state) => state.set('secret', undefined as never))
  await visit((state) => state.update('history', () => DATA as never))
  await visit(async (state) => {
    await state.save()
    state.set('theme', { note: DATA })
    await state.save()
  })
  // Attacks.
  const before = jar.header()
  for (const cookie of [
    before.replaceAll('.', '..'),
    before.replace('__Host-bb=', '__Host-bb=A'),
    before.replace(/bb-signed=1s/, 'bb-signed=1e'),
    `${before}; ${before}`,
    before.replace(/(__Host-bb=[^.]*\.).{5}/, '$1AAAAA'),
  ]) {
    await attempt(async () => {
      const state = await site.server.open(new Request(ORIGIN, { headers: { cookie } }))
      for (const name of bins.names) state.get(name as 'theme')
      state.set('secret', DATA)
      await state.save(new Headers())
    })
  }
  const op = { n: 1, bin: 'history', base: null, text: codedJson([DATA]), age: 0, sv: 1 }
  const part = {
    owner: 'visitor',
    store: 'default',
    tag: valueIn(jar, 'bb.o')?.split('.')[0] ?? null,
    cursor: null,
    ops: [op],
  }
  await sync({ v: 1, client: 'client', parts: [part] })
  await sync({
    v: 1,
    client: 'client',
    parts: [{ ...part, ops: [{ ...op, n: 2, text: codedJson({ [DATA]: DATA }) }] }],
  })
  await sync({ v: 1, client: 'client', parts: [{ ...part, ops: [{ ...op, n: 3, bin: DATA }] }] })
  await sync({ v: 1, client: DATA, parts: [{ ...part, tag: DATA }] })
  await sync(`{"${DATA}":"${jar.header()}"`)
  // Links: one that another device uses, one that nobody does, and what looks like one.
  const links: string[] = []
  await visit(async (state) => links.push(await state.link('/'), await state.link('/')))
  await visit((state) => state.link(`https://evil.example/${DATA}`))
  const accept = (body: unknown) =>
    attempt(async () => {
      const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
      const request = { method: 'POST', headers, body: JSON.stringify(body) }
      await site.server.fetch(requestWith(other.jar, '/bins/link', request))
    })
  const other = site.openBrowser()
  await attempt(() => other.visit((state) => state.set('secret', DATA)))
  const [used = '', ...unused] = links.map((link) => link.split('=')[1] ?? '')
  for (const token of [used, used, used.replace(/.{5}$/, 'AAAAA'), DATA]) {
    await accept({ v: 1, token })
    await accept({ v: 1, token, merge: true })
  }
  await accept({ v: 1, token: used, [DATA]: DATA })
  // A login, a rotation, a logout.
  user = USER
  await visit((state) => state.set('profile', [DATA]))
  await visit((state) => state.rotate())
  await attempt(() => site.server.visitors(USER))
  await attempt(() => site.server.revoke(USER))
  await visit((state) => state.set('profile', [DATA]))
  user = null
  await visit((state) => state.get('profile'))
  await visit((state) => state.clear())
  await attempt(() => site.server.close())
  return {
    ...site,
    jar,
    thrown,
    tokens: [
      ...new Set([
        ...tokensOf({ header: () => before }),
        ...tokensOf(jar),
        ...[used, ...unused].flatMap((token) => [token, ...token.split('.')]).filter((part) => part !== ''),
      ]),
    ],
  }
}

describe('what is told of a site in use', () => {
  const written: string[] = []

  beforeEach(() => {
    const note = (...parts: unknown[]) => written.push(parts.map((part) => textOf(part)).join(' '))
    for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
      vi.spyOn(console, method).mockImplementation(note)
    }
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, 'write').mockImplementation((text) => {
        note(text)
        return true
      })
    }
    vi.spyOn(process, 'emitWarning').mockImplementation(note)
  })

  afterEach(() => {
    vi.restoreAllMocks()
    written.length = 0
  })

  it('holds no data, no token and no user: not in events, errors or logs', async () => {
    const { events, thrown, tokens } = await live()
    const told = [...events.all, ...thrown].map((each) => textOf(each))
    expect([...new Set(events.types)].sort()).toEqual(
      expect.arrayContaining(['duplicate-cookie', 'unknown-link', 'unknown-visitor', 'unreadable']),
    )
    expect(new Set(thrown.map((error) => Reflect.get(Object(error), 'code')))).toEqual(
      new Set(['INVALID_DATA', 'TOO_LARGE', undefined]),
    )
    for (const text of told)
      for (const part of [DATA, codedJson([DATA]), USER, ...tokens]) expect(text).not.toContain(part)
    expect(tokens.length).toBeGreaterThan(SECRETS.length + 2)
    expect(written).toEqual([])
  })

  it('holds none either, whichever call of the store fails', async () => {
    const { store } = await live()
    for (let failOn = 1; failOn <= store.calls.length; failOn += 1) {
      const { events, thrown, tokens } = await live({ store: faultyStore(memoryStore(), { failOn }) })
      const told = [...events.all, ...thrown].map((each) => textOf(each)).join('\n')
      for (const part of [DATA, codedJson([DATA]), USER, ...tokens]) expect(told).not.toContain(part)
    }
    expect(written).toEqual([])
  })

  it('holds no secret that was refused', () => {
    const { BREADBIN_SECRETS: before } = process.env
    for (const secret of [
      'hunter2-hunter2',
      `${'hunter2-'.repeat(6)}`,
      'hunter2+hunter2=hunter2+hunter2=hunter2+hunter2=',
    ]) {
      const errors: unknown[] = []
      for (const options of [{ secrets: [secret] }, {}]) {
        process.env.BREADBIN_SECRETS = secret
        try {
          serveBins(bins, { user: () => null, ...options })
        } catch (error) {
          errors.push(error)
        }
      }
      expect(errors.length).toBe(2)
      expect(errors.map((error) => textOf(error)).join('\n')).not.toContain('hunter2')
    }
    if (before === undefined) delete process.env.BREADBIN_SECRETS
    else process.env.BREADBIN_SECRETS = before
  })
})

describe('the dump of a store', () => {
  it('opens nothing: no part of it is a token', async () => {
    const store = recording(memoryStore())
    const { tokens } = await live({ store })
    const dump = store.dump.join('\n')
    expect(dump).toContain(DATA)
    // The id, which opens nothing, is the record's key.
    const ids = tokens.filter((token) => token.length === 22)
    expect(ids.length).toBeGreaterThan(0)
    for (const token of tokens.filter((each) => !ids.includes(each))) expect(dump).not.toContain(token)
    expect(dump).not.toContain(USER)
  })

  it('makes nobody a visitor, whatever of it is presented as a secret', async () => {
    const store = recording(memoryStore())
    const { server, openBrowser } = openSite(bins, { store, user: () => null })
    const browser = openBrowser()
    await browser.visit((state) => state.set('secret', DATA))
    const dump = store.dump.join('\n')
    const [id = ''] = valueIn(browser.jar, '__Host-bb')?.split('.') ?? []
    const stolen = [...new Set(dump.match(/[\w-]{16,}/g))].flatMap((word) => [
      word,
      word.padEnd(43, 'A').slice(0, 43),
    ])
    expect(stolen.length).toBeGreaterThan(4)
    for (const secret of stolen) {
      for (const cookie of [`__Host-bb=${id}.${secret}`, `__Host-bb=${secret}`]) {
        const state = await server.open(new Request(ORIGIN, { headers: { cookie } }))
        expect([state.visitor, state.get('secret')]).toEqual([undefined, ''])
      }
    }
  })
})
