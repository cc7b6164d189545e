import { hash, timingSafeEqual } from 'node:crypto'
import type { BinsRecord } from '../core/record.ts'

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

/** Whether a token opens a record. Takes the same time whatever it is. */
export function opens({ secret }: Token, { secrets }: BinsRecord): boolean {
  const hash = Buffer.from(hashSecret(secret))
  let found = false
  for (const known of secrets) {
    const other = Buffer.from(known)
    if (other.length === hash.length && timingSafeEqual(other, hash)) found = true
  }
  return found
}
