import { createHash } from 'node:crypto'
import type { RedisCommands } from './client.ts'

/** A program that Redis runs on one key as one step. */
export interface RedisScript {
  readonly code: string
  readonly digest: string
}

/**
 * Writes an entry if its version is the expected one. Both clients may send it again when they did not hear the answer
 * (ioredis does by itself: `autoResendUnfulfilledCommands`), so it knows its own work by a nonce.
 *
 * version, expires, text, expected, now, nonce, when Redis may delete it → 1 if it was written
 */
export const WRITE = toScript(`
  local found = redis.call('HMGET', KEYS[1], 'version', 'expires', 'nonce')
  if found[3] == ARGV[6] then return 1 end
  local live = found[1] and (found[2] == 'Infinity' or tonumber(found[2]) > tonumber(ARGV[5]))
  if (live and found[1] or '0') ~= ARGV[4] then return 0 end
  redis.call('HSET', KEYS[1], 'version', ARGV[1], 'expires', ARGV[2], 'text', ARGV[3], 'nonce', ARGV[6])
  if ARGV[7] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], ARGV[7]) end
  return 1`)

/** version → 1 if the entry had it, and was deleted */
export const DELETE_VERSION = toScript(`
  if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
  return redis.call('DEL', KEYS[1])`)

/** → version, expires, text: as HMGET, but never from a replica */
export const READ = toScript(`return redis.call('HMGET', KEYS[1], 'version', 'expires', 'text')`)

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
