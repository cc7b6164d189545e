/**
 * PostgreSQL has no U+0000 in a text (https://www.postgresql.org/docs/current/datatype-character.html), so it is
 * written as U+0001 `0`, and U+0001 as U+0001 `1`. JSON has neither: whatever Breadbin itself writes stays as it is.
 */
export function escapeText(text: string): string {
  if (!text.includes('\0') && !text.includes('\x01')) return text
  return text.replaceAll('\x01', '\x011').replaceAll('\0', '\x010')
}

/** Makes the text of which {@link escapeText} has made this one. */
export function unescapeText(text: string): string {
  if (!text.includes('\x01')) return text
  return text.replaceAll('\x010', '\0').replaceAll('\x011', '\x01')
}
