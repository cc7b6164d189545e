import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { CookieText } from '../../src/core/cookie.ts'
import { deriveKeys } from '../../src/server/keys.ts'
import { keyMismatches } from '../support/vectors.ts'

const vectors = JSON.parse(readFileSync(new URL('../vectors/cookie.json', import.meta.url), 'utf8'))
const [first, second, third]: string[] = vectors.secrets.map(({ secret }: { secret: string }) => secret)
const secret = String(first)
const other = String(second)

const cookie: CookieText = {
  version: 1,
  at: 1_763_695_800,
  expires: 1_798_255_800,
  text: '{"json":"東京, a.b"}',
}
const keys = deriveKeys([secret])

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
    expect(keys[open]('bb-a', 'v1', value)).toEqual({ cookie, current: true })
    expect(keys[open]('bb-a', '', keys[write]('bb-a', '', cookie))).toEqual({ cookie, current: true })
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

  it('opens under an older secret, and says that it should be rewritten', () => {
    const after = deriveKeys([other, String(third), secret])
    expect(after[open]('bb-a', 'v1', value)).toEqual({ cookie, current: false })
    expect(after[open]('bb-a', 'v1', after[write]('bb-a', 'v1', cookie))?.current).toBe(true)
    expect(keys[open]('bb-a', 'v1', after[write]('bb-a', 'v1', cookie))).toBeUndefined()
    expect(deriveKeys([other])[open]('bb-a', 'v1', value)).toBeUndefined()
  })

  it('opens long after it has expired: that is for the caller to see', () => {
    const expired = { ...cookie, expires: 1 }
    expect(keys[open]('bb-a', '', keys[write]('bb-a', '', expired))?.cookie).toEqual(expired)
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
    const value = deriveKeys([older]).seal('bb-a', '', cookie)
    expect(deriveKeys([newer]).seal('bb-a', '', cookie).slice(0, 8)).toBe(value.slice(0, 8))
    expect(deriveKeys([newer, older]).unseal('bb-a', '', value)).toEqual({ cookie, current: false })
  })
})

describe('secrets', () => {
  it.each<[string, unknown[], RegExp]>([
    ['none', [], /^secrets: there is none; .*randomBytes/],
    ['one that is not set', [undefined], /^secrets\[0\] is not base64url; .*randomBytes/],
    ['an empty one', [''], /^secrets\[0\] has fewer than 32 bytes; .*randomBytes/],
    ['31 bytes', [secret, bytes(31)], /^secrets\[1\] has fewer than 32 bytes; .*randomBytes/],
    [
      'base64 of the other alphabet',
      [`${secret.slice(0, -3)}a+/`],
      /^secrets\[0\] is not base64url; .*randomBytes/,
    ],
    ['padding', [`${secret}=`], /is not base64url/],
    ['a space', [` ${secret}`], /is not base64url/],
    ['a line feed', [`${secret}\n`], /is not base64url/],
    ['a word', ['correct horse battery staple'], /is not base64url/],
    ['bits that mean nothing', [`${secret.slice(0, -1)}9`], /is not base64url/],
    ['one byte 32 times', [Buffer.alloc(32, 7).toString('base64url')], /is not random; .*randomBytes/],
    ['four bytes 16 times', [Buffer.alloc(64, 'abcd').toString('base64url')], /is not random/],
    ['one letter 43 times', ['A'.repeat(43)], /is not random/],
  ])('refuse %s', (_, secrets, message) => {
    // Callers without types pass what the environment gives.
    expect(() => deriveKeys(secrets as string[])).toThrow(
      expect.objectContaining({ name: 'TypeError', message: expect.stringMatching(message) }),
    )
  })

  it('never appear in an error', () => {
    for (const weak of ['password-password-password-password-passwor+', `${'ab'.repeat(30)}`]) {
      expect(() => deriveKeys([weak])).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining(weak.slice(0, 8)) }),
      )
    }
  })

  it('may be longer, and hexadecimal', () => {
    const hex = Buffer.from(bytes(32), 'base64url').toString('hex')
    expect(() => deriveKeys([bytes(64), hex])).not.toThrow()
  })
})

function bytes(length: number): string {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 151) % 256)).toString('base64url')
}
