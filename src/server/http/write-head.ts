import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Arguments of `response.writeHead`. */
export type WriteHeadArguments = [status: number, ...rest: unknown[]]

/**
 * Sets on a response what `writeHead(status, message?, headers?)` would write, so that more can be set beside it:
 * headers passed to `writeHead` replace those of the same name, ours included.
 *
 * @throws What Node throws, for the same arguments.
 */
export function takeHead(response: ServerResponse, [status, reason, headers]: WriteHeadArguments): void {
  const code = status | 0
  if (code < 100 || code > 999) {
    throw Object.assign(new RangeError(`Invalid status code: ${status}`), {
      code: 'ERR_HTTP_INVALID_STATUS_CODE',
    })
  }
  if (typeof reason === 'string') response.statusMessage = reason
  // Node finds it out as late as in the status line, when the head has to go out.
  if (/[^\t\x20-\x7e\x80-\xff]/.test(response.statusMessage)) {
    throw Object.assign(new TypeError('Invalid character in statusMessage'), { code: 'ERR_INVALID_CHAR' })
  }
  response.statusCode = code
  takeHeaders(response, headers ?? (typeof reason === 'string' ? undefined : reason))
}

function takeHeaders(response: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    takeList(response, headers)
    return
  }
  // Whatever it is instead has no properties of its own, for Node as well.
  for (const [name, value] of Object.entries((headers ?? {}) as OutgoingHttpHeaders)) {
    // Node refuses `undefined`, which its types admit.
    if (name) response.setHeader(name, value as string)
  }
}

/** Node takes names and values as a flat list; and, only if no header was set before, as a list of pairs. */
function takeList(response: ServerResponse, headers: readonly unknown[]): void {
  const arePairs = Array.isArray(headers[0]) && response.getHeaderNames().length === 0
  const flat = arePairs ? headers.flat() : headers
  if (flat.length % 2 !== 0) {
    throw Object.assign(new TypeError("The argument 'headers' is invalid."), {
      code: 'ERR_INVALID_ARG_VALUE',
    })
  }
  const names = flat.filter((_, index) => index % 2 === 0) as string[]
  const values = flat.filter((_, index) => index % 2 === 1) as string[]
  for (const name of names) if (response.hasHeader(name)) response.removeHeader(name)
  for (const [index, name] of names.entries()) {
    // As many values as names.
    if (name) response.appendHeader(name, values[index] as string)
  }
}
