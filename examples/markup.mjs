class Markup {
  constructor(text) {
    this.text = text
  }
}

/** A piece of HTML. What is put into it is escaped, unless it is itself a piece of HTML, or a list of such pieces. */
export function html(strings, ...values) {
  const texts = values.map((value) => [value].flat().map(toText).join(''))
  return new Markup(String.raw({ raw: strings }, ...texts))
}

function toText(value) {
  if (value instanceof Markup) return value.text
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** A text that is HTML already. */
export function trusted(text) {
  return new Markup(text)
}
