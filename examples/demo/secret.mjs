import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

/** Reads the secret that signs cookies; makes it at the first start, for this user's eyes only. */
export function readSecret(file) {
  try {
    // `wx` never replaces a secret that is there: every signed cookie would be worthless.
    writeFileSync(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  return readFileSync(file, 'utf8')
}
