import { createHash, randomBytes } from 'node:crypto'
import type { RedisCommands } from './client.ts'

/** A program that Redis runs on one key as one step. */
export interface RedisScript {
  readonly code: string
  readonly digest: string
}

/** Characters of a nonce, which 9 random bytes make. */
const NONCE_LENGTH = 12

/** How many nonces a hash keeps, so that work sent again is known after as many writes of others, less one. */
const NONCES = 32

/** How long the nonces stay when the rest is deleted. ioredis gives up after 20 attempts to connect: 10 s. */
const KEEP_NONCES_MS = 60_000

/**
 * Writes an entry if its version is the expected one. A client may send it again when it did not hear the answer (ioredis
 * does by itself: `autoResendUnfulfilledCommands`), so it knows its own work by a nonce, also after others have written.
 *
 * nonce, version, expires, text, expected, now, when Redis may delete it → 1 if it was written
 */
export const WRITE = toScript(`
  local found = redis.call('HMGET', KEYS[1], 'nonce', 'version', 'expires')
  local nonces = found[1] or ''
  if string.find(nonces, ARGV[1], 1, true) then return 1 end
  local live = found[2] and (found[3] == 'Infinity' or tonumber(found[3]) > tonumber(ARGV[6]))
  if (live and found[2] or '0') ~= ARGV[5] then return 0 end
  nonces = string.sub(ARGV[1] .. nonces, 1, ${NONCES * NONCE_LENGTH})
  redis.call('HSET', KEYS[1], 'nonce', nonces, 'version', ARGV[2], 'expires', ARGV[3], 'text', ARGV[4])
  if ARGV[7] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], ARGV[7]) end
  return 1`)

/**
 * Deletes an entry, and leaves its nonces for a while: a creation that is sent again does not undo the deletion, and a
 * deletion that is sent again does not take what others have created since. DEL comes first: where memory is full, HSET
 * may only follow what has written.
 *
 * nonce, version or '' for any → 1 if it was deleted
 */
export const DELETE = toScript(`
  local found = redis.call('HMGET', KEYS[1], 'nonce', 'version')
  local nonces = found[1] or ''
  if string.find(nonces, ARGV[1], 1, true) then return 1 end
  if not found[2] or (ARGV[2] ~= '' and found[2] ~= ARGV[2]) then return 0 end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'nonce', string.sub(ARGV[1] .. nonces, 1, ${NONCES * NONCE_LENGTH}))
  redis.call('PEXPIRE', KEYS[1], ${KEEP_NONCES_MS})
  return 1`)

/** → version, expires, text: as HMGET, but never from a replica */
export const READ = toScript(`return redis.call('HMGET', KEYS[1], 'version', 'expires', 'text')`)

/** Makes what a script knows its own work by, as its first value. */
export function createNonce(): string {
  return randomBytes(9).toString('base64url')
}

/** Runs a script by its digest, and by its code where Redis does not know it: after a start, or on a new node. */
export async function runScript(
  commands: RedisCommands,
  { code, digest }: RedisScript,
  key: string,
  values: readonly string[] = [],
): Promise<unknown> {
  const run = (name: string, script: string) =>
    commands.run(key, { isReadonly: false, args: [name, script, '1', key, ...values] })
  try {
    return await run('EVALSHA', digest)
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return run('EVAL', code)
    throw error
  }
}

function toScript(code: string): RedisScript {
  // SCRIPT LOAD answers the SHA-1 of the code, and EVALSHA takes it (redis.io/docs/latest/commands/evalsha).
  return { code, digest: createHash('sha1').update(code).digest('hex') }
}
