import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import {
  type CookieText,
  formatContent,
  formatSealed,
  parseContent,
  parseSealed,
  parseSigned,
  signedPart,
} from '../../core/cookie/cookie-format.ts'

/**
 * Signs and seals the values of cookies. `name` is the full name of the cookie, prefixes included; `tag` says whom it
 * is bound to, and is empty for a cookie that is bound to nobody. A value opens only under the same two. Whether it has
 * expired is for the caller to see.
 */
export interface Keys {
  /** Signed value: scripts can read and not forge it. `1s.<version>.<at>.<expires>.<payload>.<mac>` */
  sign(name: string, tag: string, cookie: CookieText): string
  /** Reads a signed value; `undefined` if it is not genuine. Never throws. */
  verify(name: string, tag: string, value: string): CookieText | undefined
  /** Sealed value: nobody else can read or forge it. `1e.<keyId>.<box>` */
  seal(name: string, tag: string, cookie: CookieText): string
  /** Reads a sealed value; `undefined` if it is not genuine. Never throws. */
  unseal(name: string, tag: string, value: string): CookieText | undefined
}

interface Key {
  readonly sign: KeyObject
  readonly seal: KeyObject
  readonly id: string
}

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32
const ID_BYTES = 3

/**
 * Derives the keys of cookies from the application's secrets, once: no request pays for it.
 *
 * Each is HKDF-SHA-256 (RFC 5869) of the secret's bytes with an empty salt, since the secret is random throughout.
 * `breadbin/sign/1` gives the 32 bytes of the HMAC-SHA-256 key; `breadbin/seal/1` 35 bytes: the AES-256-GCM key and
 * the key id. Nonces are random: NIST SP 800-38D §8.3 allows 2³² sealed values under one secret.
 *
 * @param secrets One at least. The first signs and seals, all open: what is under an older one is under the first as
 * soon as it is written again.
 * @param random Source of nonces, for tests.
 */
export function deriveKeys(
  [secret, ...older]: readonly [Buffer, ...Buffer[]],
  random: (bytes: number) => Uint8Array = randomBytes,
): Keys {
  const first = deriveKey(secret)
  const keys = [first, ...older.map(deriveKey)]

  return {
    sign(name, tag, cookie) {
      const part = signedPart(cookie)
      return `${part}.${macOf(first, [name, tag, part]).toString('base64url')}`
    },
    verify(name, tag, value) {
      const signed = parseSigned(value)
      if (!signed) return undefined
      const mac = Buffer.from(signed.mac, 'base64url')
      const isGenuine = keys.some((key) => timingSafeEqual(mac, macOf(key, [name, tag, signed.part])))
      return isGenuine ? signed.cookie : undefined
    },
    seal(name, tag, cookie) {
      const nonce = random(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, first.seal, nonce).setAAD(joined([name, tag]))
      const ciphertext = Buffer.concat([cipher.update(formatContent(cookie), 'utf8'), cipher.final()])
      const box = Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString('base64url')
      return formatSealed({ keyId: first.id, box })
    },
    unseal(name, tag, value) {
      const sealed = parseSealed(value)
      if (!sealed) return undefined
      // Two ids of 24 bits may be equal, so the first key that opens it counts, not the first with its id.
      for (const key of keys.filter(({ id }) => id === sealed.keyId)) {
        const content = open(key, joined([name, tag]), sealed.box)
        const cookie = content === undefined ? undefined : parseContent(content)
        if (cookie) return cookie
      }
      return undefined
    },
  }
}

function deriveKey(secret: Buffer): Key {
  const sealing = derive(secret, 'breadbin/seal/1', KEY_BYTES + ID_BYTES)
  return {
    sign: createSecretKey(derive(secret, 'breadbin/sign/1', KEY_BYTES)),
    seal: createSecretKey(sealing.subarray(0, KEY_BYTES)),
    id: sealing.subarray(KEY_BYTES).toString('base64url'),
  }
}

function derive(secret: Buffer, info: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', info, bytes))
}

/** HMAC-SHA-256 of the parts. No cookie name or value holds the U+0000 between them. */
function macOf(key: Key, parts: readonly string[]): Buffer {
  return createHmac('sha256', key.sign).update(joined(parts)).digest()
}

function joined(parts: readonly string[]): Buffer {
  return Buffer.from(parts.join('\0'))
}

function open(key: Key, associated: Buffer, box: string): string | undefined {
  const bytes = Buffer.from(box, 'base64url')
  // Node reads base64url leniently: one value, one spelling.
  if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== box) return undefined
  const decipher = createDecipheriv(CIPHER, key.seal, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(associated).setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return (
      decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    )
  } catch {
    // The tag is wrong: somebody else wrote it, or it belongs to another cookie or owner.
    return undefined
  }
}
