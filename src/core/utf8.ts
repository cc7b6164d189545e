/** Encodes text. */
export const encoder = new TextEncoder()

/** Decodes well-formed UTF-8, and throws a TypeError for anything else. Without `ignoreBOM` it would drop a U+FEFF at the start. */
export const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Length of a well-formed string in UTF-8 bytes. An encoder would have to make the bytes. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit >= 0x80) bytes += isSingle(unit) && unit >= 0x800 ? 2 : 1
  }
  return bytes
}

/** Whether a code unit is a character of its own. Each half of a surrogate pair makes two of its four bytes. */
function isSingle(unit: number): boolean {
  return unit < 0xd800 || unit > 0xdfff
}
