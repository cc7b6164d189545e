import { describe, expect, it } from 'vitest'
import { generateSecret, parseSecrets } from '../../../src/server/cookies/signing-secrets.ts'

const secret = bytes(32)

describe('generateSecret', () => {
  it('makes a secret that is accepted, and another one each time', () => {
    const secrets = Array.from({ length: 1_000 }, () => generateSecret())
    expect(new Set(secrets).size).toBe(1_000)
    expect(parseSecrets(secrets).map((each) => each.length)).toEqual(secrets.map(() => 32))
  })

  it('takes its bytes from where it is told', () => {
    expect(generateSecret((length) => Buffer.alloc(length, 1))).toBe(
      'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE',
    )
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
    ['bytes that count', [counting(1)], /is not random/],
    ['bytes that count down', [counting(-1)], /is not random/],
    ['a text', [Buffer.from('the quick brown fox jumps over a lazy dog').toString('base64url')], /is a text/],
    ['an example', ['your-secret-goes-here-0123456789-ABCDEFGHIJKLMNo'], /is an example/],
    ['a reminder', ['CHANGE_ME_CHANGE_ME_0123456789abcdefghijklmnop0'], /is an example/],
  ])('refuse %s', (_, secrets, message) => {
    // Callers without types pass what the environment gives.
    expect(() => parseSecrets(secrets as string[])).toThrow(
      expect.objectContaining({ name: 'TypeError', message: expect.stringMatching(message) }),
    )
  })

  it('never appear in an error', () => {
    for (const weak of ['password-password-password-password-passwor+', `${'ab'.repeat(30)}`]) {
      expect(() => parseSecrets([weak])).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining(weak.slice(0, 8)) }),
      )
    }
  })

  it('may be longer, and hexadecimal', () => {
    const hex = Buffer.from(bytes(32), 'base64url').toString('hex')
    expect(() => parseSecrets([bytes(64), hex])).not.toThrow()
  })
})

function bytes(length: number): string {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 151) % 256)).toString('base64url')
}

function counting(step: number): string {
  return Buffer.from(Array.from({ length: 32 }, (_, index) => 250 + index * step)).toString('base64url')
}
