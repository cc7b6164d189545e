import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { BinsError } from '../../src/core/error.ts'
import { toNodeHandler } from '../../src/server/http/node-handler.ts'
import { serveBins } from '../../src/server/server.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { Store } from '../../src/stores/store.ts'
import { HOSTILE } from '../support/hostile.ts'
import { listen, send } from '../support/sites/express.ts'
import { ORIGIN, openCookieJar, requestWith, take } from '../support/sites/http.ts'
import { openSite, SECRETS } from '../support/sites/requests.ts'
import { LATER, NOW, openStore, temporaryFolders } from '../support/stores/open-store.ts'
import { type Place, type PlaceMaker, placeMakers } from '../support/stores/places.ts'

const others = { browser: 'none' } as const
const SERVER = defineBins({}, { others })
const COOKIES = {
  plain: defineBins({}, { others: { storage: 'cookie' } }),
  signed: defineBins({}, { others: { storage: 'cookie', browser: 'read' } }),
  sealed: defineBins({}, { others: { storage: 'cookie', browser: 'none' } }),
}

/** Needs no place. */
const MEMORY: PlaceMaker = { kind: 'memory', make: async () => ({ place: '', remove: async () => {} }) }

const folders = temporaryFolders()
afterAll(() => folders.remove())

for (const { kind, make } of [MEMORY, ...placeMakers()]) {
  describe(`a store of ${kind}, whatever the names`, () => {
    let place: Place
    let store: Store
    beforeAll(async () => {
      place = await make()
      store = kind === 'memory' ? memoryStore() : openStore(kind, place.place)
    })
    afterAll(async () => {
      await store.close?.()
      await place.remove()
    })

    it('keeps each key and text as it is, and no other is touched', async () => {
      await store.write('canary', { version: 1, text: 'sings', expires: LATER }, 0, NOW)
      for (const key of HOSTILE) {
        expect(
          await store.write(key, { version: 1, text: JSON.stringify(key), expires: LATER }, 0, NOW),
        ).toBe(true)
        expect(await store.write(key, { version: 2, text: key, expires: LATER }, 1, NOW)).toBe(true)
      }
      for (const key of HOSTILE)
        expect(await store.read(key, { now: NOW })).toMatchObject({ version: 2, text: key })
      expect(await store.delete(String(HOSTILE[0]))).toBe(true)
      expect(await store.read('canary', { now: NOW })).toMatchObject({ text: 'sings' })
    })

    it('keeps each bin and what is in it', async () => {
      const server = serveBins(SERVER, { store })
      const jar = openCookieJar(Date.now)
      const state = await server.open(requestWith(jar))
      for (const each of HOSTILE) state.set(each, { [`x${each}`]: each })
      take(jar, await state.save(new Headers()))
      const later = await server.open(requestWith(jar))
      expect(later.names().sort()).toEqual([...HOSTILE].sort())
      for (const each of HOSTILE) expect(later.get(each)).toEqual({ [`x${each}`]: each })
      await later.clear()
    })
  })
}

describe('fileStore, whatever the names', () => {
  it('writes inside its folder alone', async () => {
    const folder = folders.make()
    const store = openStore('file', folder)
    for (const key of HOSTILE) await store.write(key, { version: 1, text: key, expires: LATER }, 0, NOW)
    expect(readdirSync(folder)).toEqual(['files'])
    const files = readdirSync(join(folder, 'files'), { recursive: true }).map(String)
    expect(files.filter((file) => !/^[\w/.-]+$/.test(file) || file.includes('..'))).toEqual([])
    expect(existsSync('/etc/passwd.1')).toBe(false)
  })
})

describe('cookies, whatever the names', () => {
  it.each(Object.entries(COOKIES))('%s: are one line each, with our attributes alone', async (_, bins) => {
    const { server } = openSite(bins)
    for (const each of HOSTILE) {
      const state = await server.open(new Request(ORIGIN))
      state.set(each, each)
      const lines = (await state.save(new Headers())).getSetCookie()
      expect(lines).toEqual([
        expect.stringMatching(
          /^bb-[\w-]+=[!-:<-~]+; Max-Age=2592000; Path=\/;( HttpOnly;)? Secure; SameSite=Lax$/,
        ),
      ])
      const cookie = String(lines[0]).replace(/;.*/, '')
      const later = await server.open(new Request(ORIGIN, { headers: { cookie } }))
      expect([later.names(), later.get(each)]).toEqual([[each], each])
    }
  })
})

describe('prototypes', () => {
  it('stay as they are, whatever is set, sent or read', async () => {
    const { server } = openSite(COOKIES.plain)
    const state = await server.open(new Request(ORIGIN))
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      expect(() => state.set('bin', JSON.parse(`{"a":{"${key}":{"polluted":1}}}`))).toThrow(BinsError)
      for (const text of [
        `{"json":{"${key}":{"polluted":1}}}`,
        `{"json":{"a":1},"meta":{"values":{"${key}.polluted":["Date"]}}}`,
      ]) {
        const cookie = `bb-bin=1.1.1.zzzzzz.~${Buffer.from(text).toString('base64url')}`
        const later = await server.open(new Request(ORIGIN, { headers: { cookie } }))
        expect(later.get('bin')).toBe(undefined)
      }
    }
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined)
    expect(Object.prototype).not.toHaveProperty('polluted')
  })
})

describe('headers, whatever is in them', () => {
  it('never end up in an answer', async () => {
    const server = serveBins(COOKIES.signed, {
      store: memoryStore(),
      secrets: SECRETS,
      trustProxy: 1,
      origins: [ORIGIN],
    })
    const listening = await listen(
      toNodeHandler((request) =>
        request.method === 'POST'
          ? server.fetch(request)
          : server.handle(request, (state) => {
              state.set('bin', 1)
              return new Response('ok')
            }),
      ),
    )
    const mark = 'MARK'
    // What Node lets through: header values are bytes without control characters.
    for (const each of [...HOSTILE, 'x'.repeat(8_000)].map((text) =>
      Buffer.from(text)
        .toString('latin1')
        .replace(/[^\t\x20-\x7e\x80-\xff]/g, ''),
    )) {
      const value = `${mark}${each}`
      for (const name of [
        'cookie',
        'origin',
        'host',
        'forwarded',
        'x-forwarded-host',
        'x-forwarded-proto',
        'content-type',
      ]) {
        const headers = { [name]: name === 'cookie' ? `__Host-bb=${value}; bb-bin=${value}` : value }
        const page = await send(listening, { headers })
        const sync = await send(listening, { method: 'POST', path: '/bins/sync', headers, body: value })
        expect(JSON.stringify([page?.headers, sync])).not.toContain(mark)
        expect([200, 400]).toContain(page?.status ?? 200)
      }
    }
    await listening.close()
  })
})
