import { describe, expect, it } from 'vitest'
import { formatPlain } from '../../../src/core/cookie/cookie-format.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { openCookieValues } from '../../../src/server/cookies/cookie-codec.ts'
import { deriveKeys, type Keys } from '../../../src/server/cookies/keys.ts'
import { parseSecrets } from '../../../src/server/cookies/signing-secrets.ts'
import { SECRETS } from '../../support/sites/requests.ts'

const bins = defineBins(
  {
    plain: { storage: 'cookie' },
    signed: { storage: 'cookie', browser: 'read' },
    sealed: { storage: 'cookie', browser: 'none' },
    other: { storage: 'cookie', browser: 'read' },
  },
  { others: { storage: 'cookie' } },
)
const cookie = { version: 1, at: 1_000, expires: 2_000, text: '{"json":"hello"}' }

/** Values under keys that count what they open. */
function open() {
  const keys = deriveKeys(parseSecrets(SECRETS))
  let opened = 0
  const counted: Keys = {
    ...keys,
    verify(...args) {
      opened += 1
      return keys.verify(...args)
    },
    unseal(...args) {
      opened += 1
      return keys.unseal(...args)
    },
  }
  return { values: openCookieValues(bins, counted), opened: () => opened }
}

describe('values of cookies', () => {
  it('are named after their bins', () => {
    const { values } = open()
    expect(['plain', 'of others'].map(values.nameOf)).toEqual(['bb-plain', 'bb-of_20others'])
  })

  it('are opened once, by each server', () => {
    for (const name of ['signed', 'sealed']) {
      const value = open().values.format(bins.find(name), cookie, '')
      const { values, opened } = open()
      for (const _ of [1, 2, 3]) expect(values.parse(bins.find(name), value, '')).toEqual(cookie)
      expect(opened()).toBe(1)
    }
  })

  it('are known where they were made', () => {
    const { values, opened } = open()
    const value = values.format(bins.find('signed'), cookie, '')
    expect(values.parse(bins.find('signed'), value, '')).toEqual(cookie)
    expect(opened()).toBe(0)
  })

  it('are none under another name, or with another last character', () => {
    const { values } = open()
    const value = values.format(bins.find('signed'), cookie, '')
    expect(values.parse(bins.find('other'), value, '')).toBe(undefined)
    for (const last of 'AEIMQUYcgkosw048'.replace(value.slice(-1), '')) {
      expect(values.parse(bins.find('signed'), value.slice(0, -1) + last, '')).toBe(undefined)
    }
    expect(values.parse(bins.find('signed'), value, '')).toEqual(cookie)
  })

  it('of one kind are none of another', () => {
    const { values } = open()
    const plain = formatPlain(cookie)
    expect(values.parse(bins.find('plain'), plain, '')).toEqual(cookie)
    expect(values.parse(bins.find('signed'), plain, '')).toBe(undefined)
    expect(values.parse(bins.find('sealed'), plain, '')).toBe(undefined)
  })
})
