import { hash, timingSafeEqual } from 'node:crypto'

/** What the visitor cookie holds. Whoever presents it is the visitor. */
export interface Token {
  /** Names the visitor's record: 128 random bits, base64url. */
  readonly id: string
  /** Opens it: 256 random bits, base64url. */
  readonly secret: string
}

/** Makes the token of a visitor who has never been here. */
export function mintToken(random: (bytes: number) => Buffer): Token {
  return { id: random(16).toString('base64url'), secret: random(32).toString('base64url') }
}

/** Formats a token for the visitor cookie. */
export function formatToken({ id, secret }: Token): string {
  return `${id}.${secret}`
}

/** Parses a visitor cookie. What has not exactly the shape of a token never reaches the store. */
export function parseToken(value: string): Token | undefined {
  const [, id, secret] = /^([\w-]{22})\.([\w-]{43})$/.exec(value) ?? []
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

/** Key of a visitor's record. */
export function visitorKey({ id }: Token): string {
  return `v:${id}`
}

/** The visitor's name in public: opaque, and without any authority. */
export function visitorTag({ id }: Token): string {
  return hash('sha256', `breadbin/tag/1\0${id}`, 'base64url').slice(0, 16)
}

/** What a record keeps of a secret. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'base64url')
}

/** Whether two hashes are the same. Takes the same time wherever they differ. */
export function isSameHash(one: string, other: string): boolean {
  const [bytes, otherBytes] = [Buffer.from(one), Buffer.from(other)]
  return bytes.length === otherBytes.length && timingSafeEqual(bytes, otherBytes)
}
