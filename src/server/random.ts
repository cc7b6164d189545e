import { randomBytes } from 'node:crypto'

/** Bytes that are asked for at a time. */
const POOL_BYTES = 4_096

/** Opens a source of random bytes, fit for secrets. The system takes as long for four of them as for thousands. */
export function openRandom(): (bytes: number) => Buffer {
  let pool = Buffer.alloc(0)
  return (bytes) => {
    if (bytes > pool.length) pool = randomBytes(Math.max(bytes, POOL_BYTES))
    const taken = Buffer.from(pool.subarray(0, bytes))
    // Nobody is to find it here later.
    pool.fill(0, 0, bytes)
    pool = pool.subarray(bytes)
    return taken
  }
}
