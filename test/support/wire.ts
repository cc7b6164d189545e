/** A text as it travels in a sync message; by Node's base64url, and not ours. */
export function coded(text: string): string {
  return Buffer.from(text).toString('base64url')
}

/** JSON as the text of a bin, as it travels in a sync message. */
export function codedJson(json: unknown): string {
  return coded(JSON.stringify({ json }))
}

/** The text of a bin in a sync message. */
export function decoded(text: string): string {
  return Buffer.from(text, 'base64url').toString()
}

/** The JSON in the text of a bin in a sync message; `undefined` where there is none. */
export function decodedJson(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(decoded(text)).json
}

/** A sync message with its texts as they were before they went on their way, to look for what must not be in them. */
export function readable(message: string): string {
  return message.replace(/(?<="text":")[\w-]*(?=")/g, decoded)
}
