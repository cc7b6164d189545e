import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { CookieText } from '../../../src/core/cookie/cookie-format.ts'
import { deriveKeys, type Keys } from '../../../src/server/cookies/keys.ts'
import { keyMismatches } from '../../support/vectors.ts'

const vectors = JSON.parse(readFileSync(new URL('../../vectors/cookie.json', import.meta.url), 'utf8'))
const [first, second, third]: string[] = vectors.secrets.map(({ secret }: { secret: string }) => secret)
const secret = String(first)
const other = String(second)

const cookie: CookieText = {
  version: 1,
  at: 1_763_695_800,
  expires: 1_798_255_800,
  text: '{"json":"東京, a.b"}',
}
const keys = keysOf(secret)

/** The two kinds of protected values, under one pair of names. */
const kinds = {
  signed: { write: 'sign', open: 'verify' },
  sealed: { write: 'seal', open: 'unseal' },
} as const

describe('keys', () => {
  it('write and read the golden vectors', () => {
    expect(keyMismatches(vectors, deriveKeys)).toEqual([])
  })

  it('are no secret, and the two kinds are not each other', () => {
    expect(JSON.stringify(keys)).toBe('{}')
    expect(keys.unseal('bb-a', '', keys.sign('bb-a', '', cookie))).toBeUndefined()
    expect(keys.verify('bb-a', '', keys.seal('bb-a', '', cookie))).toBeUndefined()
  })
})

describe.each(Object.entries(kinds))('a %s value', (_, { write, open }) => {
  const value = keys[write]('bb-a', 'v1', cookie)

  it('opens under its name and tag', () => {
    expect(keys[open]('bb-a', 'v1', value)).toEqual(cookie)
    expect(keys[open]('bb-a', '', keys[write]('bb-a', '', cookie))).toEqual(cookie)
  })

  it('does not open with any bit of any byte changed', () => {
    for (let index = 0; index < value.length; index += 1) {
      for (let bit = 1; bit < 128; bit *= 2) {
        const changed = String.fromCharCode(value.charCodeAt(index) ^ bit)
        expect(
          keys[open]('bb-a', 'v1', value.slice(0, index) + changed + value.slice(index + 1)),
        ).toBeUndefined()
      }
    }
  })

  it('does not open when it is shorter or longer', () => {
    for (let length = 0; length < value.length; length += 1) {
      expect(keys[open]('bb-a', 'v1', value.slice(0, length))).toBeUndefined()
      expect(keys[open]('bb-a', 'v1', value.slice(length + 1))).toBeUndefined()
    }
    for (const more of ['A', '=', '.', ' ', '\n', '\0', 'AAAA', value]) {
      expect(keys[open]('bb-a', 'v1', value + more)).toBeUndefined()
      expect(keys[open]('bb-a', 'v1', more + value)).toBeUndefined()
    }
  })

  it('does not open under another name or tag, also where their border moves', () => {
    for (const [name, tag] of [
      ['bb-b', 'v1'],
      ['bb-A', 'v1'],
      ['bb-a', ''],
      ['bb-a', 'v2'],
      ['bb-av1', ''],
      ['bb-a\0v1', ''],
    ] as const) {
      expect(keys[open](name, tag, value)).toBeUndefined()
    }
  })

  it('opens under an older secret, and is written under the first', () => {
    const after = keysOf(other, String(third), secret)
    expect(after[open]('bb-a', 'v1', value)).toEqual(cookie)
    expect(keysOf(other)[open]('bb-a', 'v1', after[write]('bb-a', 'v1', cookie))).toEqual(cookie)
    expect(keys[open]('bb-a', 'v1', after[write]('bb-a', 'v1', cookie))).toBeUndefined()
    expect(keysOf(other)[open]('bb-a', 'v1', value)).toBeUndefined()
  })

  it('opens long after it has expired: that is for the caller to see', () => {
    const expired = { ...cookie, expires: 1 }
    expect(keys[open]('bb-a', '', keys[write]('bb-a', '', expired))).toEqual(expired)
  })

  it('is undefined for whatever is none', () => {
    const noValues: string[] = [...vectors.noSigned, ...vectors.noSealed].map(({ value: none }) => none)
    for (const none of [
      ...noValues,
      'é',
      '\ud800',
      '1s.'.repeat(1e5),
      '1e.AAAA.'.repeat(1e5),
      `1e.AAAA.${'A'.repeat(37)}`,
    ]) {
      expect(keys[open]('bb-a', 'v1', none)).toBeUndefined()
    }
  })
})

describe('a sealed value', () => {
  it('is another one each time, and shows nothing of the data', () => {
    const values = Array.from({ length: 100 }, () => keys.seal('bb-a', '', cookie))
    expect(new Set(values).size).toBe(100)
    expect(Buffer.from(String(values[0]?.split('.')[2]), 'base64url').toString('latin1')).not.toContain(
      'json',
    )
  })

  it('opens although a newer secret has the same key id', () => {
    const older = 'p7Es517J3pn4Ey0aUUPLrywal4gN2pBSHx8s8yI35WE'
    const newer = '5vYz6K1rKTe_YQq14kjJUisbEHCZCJ9HftYy-iS3Lpg'
    const value = keysOf(older).seal('bb-a', '', cookie)
    expect(keysOf(newer).seal('bb-a', '', cookie).slice(0, 8)).toBe(value.slice(0, 8))
    expect(keysOf(newer, older).unseal('bb-a', '', value)).toEqual(cookie)
  })
})

function keysOf(present: string, ...older: string[]): Keys {
  const toBytes = (text: string) => Buffer.from(text, 'base64url')
  return deriveKeys([toBytes(present), ...older.map(toBytes)])
}
