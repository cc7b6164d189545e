import type { Definition } from '../core/definition/definition.ts'
import { BinsError } from '../core/error.ts'
import { MAX_BIN_BYTES, MAX_BINS, MAX_RECORD_BYTES } from '../core/limits.ts'

/** Lets an error that nobody catches be answered with 503, by express, fastify and `toNodeHandler`. */
export function unavailable(error: BinsError): BinsError {
  return Object.assign(error, { statusCode: 503 })
}

/** Whether an error is to be answered with 503. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof BinsError && 'statusCode' in error && error.statusCode === 503
}

/** A change needs a cookie and comes too late for one. */
export function headSent(): BinsError {
  return new BinsError(
    'HEAD_SENT',
    'The response head has gone out, and this change needs a cookie; make it earlier.',
  )
}

/** The visitor was cleared, or has expired, under this request. */
export function gone(): BinsError {
  return new BinsError('GONE', 'The visitor was cleared while this request ran; nothing was written.')
}

/** The bin is a user's, and nobody knows whose. */
export function noUser(bin: string): BinsError {
  return new BinsError(
    'NO_USER',
    `Bin ${JSON.stringify(bin)} follows a user, and who is logged in is not known in this request.`,
    { bin },
  )
}

/** A newer version of the definition wrote what is kept. */
export function outdated(bin: string): BinsError {
  return new BinsError(
    'OUTDATED',
    `A newer version of this program wrote bin ${JSON.stringify(bin)}; it is left as it is.`,
    { bin },
  )
}

/** A bin alone is over its limit. */
export function binTooLarge(bin: string, bytes: number): BinsError {
  return new BinsError(
    'TOO_LARGE',
    `Bin ${JSON.stringify(bin)} has ${bytes} bytes; ${MAX_BIN_BYTES} are allowed. Keep larger data in a database of its own.`,
    { bin },
  )
}

/** All bins of a visitor together would be over their limits. */
export function recordTooLarge(bin: string): BinsError {
  return new BinsError(
    'TOO_LARGE',
    `With bin ${JSON.stringify(bin)} the visitor's record would be over its limits, ${MAX_RECORD_BYTES} bytes and ${MAX_BINS} bins.`,
    { bin },
  )
}

/** The definition's own rule could not merge two edits. */
export function unmerged(bin: string): BinsError {
  return new BinsError(
    'CONFLICT',
    `Bin ${JSON.stringify(bin)} was changed by somebody else, and its merge rule failed; nothing was written.`,
    { bin },
  )
}

/** A device's bins could not all be taken along to the visitor that it becomes. */
export function unmoved(): BinsError {
  return new BinsError('CONFLICT', 'The visitor was changed while bins were taken along to it; try again.')
}

/** A store could not be read in this request: what is not known must not be changed. */
export function storeDown(cause: unknown): BinsError {
  return new BinsError(
    'STORE_FAILED',
    'The store could not be read in this request, so nothing is written to it; see the cause.',
    { cause },
  )
}

/** A record is there, and of a format that this version of Breadbin does not know. */
export function unreadableRecord(): BinsError {
  return new BinsError('STORE_FAILED', 'A record in the store cannot be read; it was left as it is.')
}

/** A cookie is to belong to somebody, and nobody is there. */
export function nobody({ name, bind }: Definition): BinsError {
  const who = bind === 'user' ? 'nobody is logged in' : 'this visitor has no server bin yet'
  return new BinsError('NO_VISITOR', `Bin ${JSON.stringify(name)} belongs to a ${bind}, and ${who}.`, {
    bin: name,
  })
}

/** The server is to change what it never sees. */
export function onDevice(bin: string): BinsError {
  return new BinsError(
    'READ_ONLY',
    `Bin ${JSON.stringify(bin)} is kept on the device; the server never sees it.`,
    { bin },
  )
}

/** Nobody knows yet what is in a bin. */
export function notOpened(bin: string): TypeError {
  return new TypeError(
    `Bin ${JSON.stringify(bin)} was not opened in this request; name it in open(request, names).`,
  )
}
