import { randomBytes } from 'node:crypto'

const SECRET_BYTES = 32

/** Of 32 random bytes, fewer than 16 different ones come once in 10¹⁵. */
const DISTINCT_BYTES = 16

/** What people put where a secret should be. A random secret holds one of these once in 10⁹. */
const EXAMPLE_WORDS = /change.?me|example|password|passw0rd|replace.?me|your.?secret|keyboard|development/i

const HOW_TO = `make one with: node -e "console.log(require('crypto').randomBytes(32).toString('base64url'))"`

/**
 * Makes a secret for {@link ServerOptions.secrets}: 32 random bytes, in base64url.
 *
 * @param random Source of the bytes, for tests.
 */
export function generateSecret(random: (bytes: number) => Buffer = randomBytes): string {
  return random(SECRET_BYTES).toString('base64url')
}

/**
 * Reads an application's secrets, and refuses those that others may know or guess: OWASP ASVS 11.2 asks for 128 bits of
 * entropy at least.
 *
 * @throws TypeError for no secret, or one that is too short, not base64url, or evidently not random. Never holds one.
 */
export function parseSecrets(secrets: readonly string[]): [Buffer, ...Buffer[]] {
  const [first, ...older] = secrets.map((secret, index) => {
    // Environment variables are often not set, whatever the types say.
    const bytes = Buffer.from(typeof secret === 'string' ? secret : '', 'base64url')
    const problem = problemOf(secret, bytes)
    if (problem) throw new TypeError(`secrets[${index}] ${problem}; ${HOW_TO}`)
    return bytes
  })
  if (!first) throw new TypeError(`secrets: there is none; ${HOW_TO}`)
  return [first, ...older]
}

function problemOf(secret: string, bytes: Buffer): string | undefined {
  if (bytes.toString('base64url') !== secret) return 'is not base64url'
  if (bytes.length < SECRET_BYTES) return `has fewer than ${SECRET_BYTES} bytes`
  if (new Set(bytes).size < DISTINCT_BYTES || isCount(bytes)) return 'is not random'
  if (bytes.every((byte) => byte >= 0x20 && byte < 0x7f)) return 'is a text, not random'
  return EXAMPLE_WORDS.test(secret) ? 'is an example, not random' : undefined
}

/** Whether each byte is the one before plus or minus one, as in the test vectors of every other document. */
function isCount(bytes: Buffer): boolean {
  const steps = new Set(bytes.subarray(1).map((byte, index) => byte - (bytes[index] ?? 0)))
  return steps.size === 1 && (steps.has(1) || steps.has(255))
}
