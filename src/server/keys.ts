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
} from '../core/cookie.ts'

/** A signed or sealed cookie that is genuine. Whether it has expired is for the caller to see. */
export interface Opened {
  /** What the cookie holds. */
  readonly cookie: CookieText
  /** Whether it is under the first secret; else the next write should rewrite it. */
  readonly current: boolean
}

/**
 * Signs and seals the values of cookies. `name` is the full name of the cookie, prefixes included; `tag` says whom it
 * is bound to, and is empty for a cookie that is bound to nobody. A value opens only under the same two.
 */
export interface Keys {
  /** Signed value: scripts can read and not forge it. `1s.<version>.<at>.<expires>.<payload>.<mac>` */
  sign(name: string, tag: string, cookie: CookieText): string
  /** Reads a signed value; `undefined` if it is not genuine. Never throws. */
  verify(name: string, tag: string, value: string): Opened | undefined
  /** Sealed value: nobody else can read or forge it. `1e.<keyId>.<box>` */
  seal(name: string, tag: string, cookie: CookieText): string
  /** Reads a sealed value; `undefined` if it is not genuine. Never throws. */
  unseal(name: string, tag: string, value: string): Opened | undefined
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
const SECRET_BYTES = 32

/** Of 32 random bytes, fewer than 16 different ones come once in 10¹⁵. */
const DISTINCT_BYTES = 16

const HOW_TO = `make one with: node -e "console.log(require('crypto').randomBytes(32).toString('base64url'))"`

/**
 * Derives the keys of cookies from the application's secrets, once: no request pays for it.
 *
 * Each is HKDF-SHA-256 (RFC 5869) of the secret's bytes with an empty salt, since the secret is random throughout.
 * `breadbin/sign/1` gives the 32 bytes of the HMAC-SHA-256 key; `breadbin/seal/1` 35 bytes: the AES-256-GCM key and
 * the key id. Nonces are random: NIST SP 800-38D §8.3 allows 2³² sealed values under one secret.
 *
 * @param secrets Each base64url of at least 32 random bytes. The first signs and seals, all open.
 * @param random Source of nonces, for tests.
 * @throws TypeError for no secret, or one that is too short, not base64url, or evidently not random.
 */
export function deriveKeys(
  secrets: readonly string[],
  random: (bytes: number) => Uint8Array = randomBytes,
): Keys {
  const keys = secrets.map((secret, index) => deriveKey(toBytes(secret, `secrets[${index}]`)))
  const [first] = keys
  if (!first) throw new TypeError(`secrets: there is none; ${HOW_TO}`)

  return {
    sign(name, tag, cookie) {
      const part = signedPart(cookie)
      return `${part}.${macOf(first, [name, tag, part]).toString('base64url')}`
    },
    verify(name, tag, value) {
      const signed = parseSigned(value)
      if (!signed) return undefined
      const mac = Buffer.from(signed.mac, 'base64url')
      const index = keys.findIndex((key) => timingSafeEqual(mac, macOf(key, [name, tag, signed.part])))
      return index < 0 ? undefined : { cookie: signed.cookie, current: index === 0 }
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
      for (const [index, key] of keys.entries()) {
        const content = key.id === sealed.keyId ? open(key, joined([name, tag]), sealed.box) : undefined
        const cookie = content === undefined ? undefined : parseContent(content)
        if (cookie) return { cookie, current: index === 0 }
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

function toBytes(secret: string, option: string): Buffer {
  // Environment variables are often not set, whatever the types say.
  const bytes = Buffer.from(typeof secret === 'string' ? secret : '', 'base64url')
  if (bytes.toString('base64url') !== secret) throw new TypeError(`${option} is not base64url; ${HOW_TO}`)
  if (bytes.length < SECRET_BYTES) {
    throw new TypeError(`${option} has fewer than ${SECRET_BYTES} bytes; ${HOW_TO}`)
  }
  if (new Set(bytes).size < DISTINCT_BYTES) throw new TypeError(`${option} is not random; ${HOW_TO}`)
  return bytes
}
