/** What a proxy says that the browser asked for. */
interface Forwarded {
  readonly scheme: string | undefined
  readonly host: string | undefined
}

const SCHEME = /^https?$/i
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i

/**
 * Scheme and host as the outermost trusted proxy has seen them. Each proxy adds to the end of a list, so that what a
 * client makes up is further left than anybody looks. A proxy of one kind passes the headers of the other kind on as the
 * client made them up: where the two contradict each other, neither is believed.
 *
 * @param hops Number of proxies, 1 or more.
 * @param own What the request says of itself; stands for what the proxies do not say.
 */
export function forwardedOrigin(
  header: (name: string) => string | undefined,
  hops: number,
  own: URL,
): string {
  const ours = { scheme: own.protocol.slice(0, -1), host: own.host }
  const standard = standardOf(header('forwarded'), hops)
  const usual = {
    scheme: matching(SCHEME, nth(header('x-forwarded-proto'), hops)),
    host: matching(HOST, nth(header('x-forwarded-host'), hops)),
  }
  const { scheme, host } = contradict(standard, usual)
    ? ours
    : { ...ours, ...defined(usual), ...defined(standard) }
  return `${scheme}://${host}`.toLowerCase()
}

function standardOf(header: string | undefined, hops: number): Forwarded {
  const pairs = splitAt(';', nth(header, hops) ?? '').map((pair) => /^(\w+)="?([^"]*)"?$/.exec(pair) ?? [])
  const named = new Map(pairs.map(([, name = '', value]) => [name.toLowerCase(), value]))
  return { scheme: matching(SCHEME, named.get('proto')), host: matching(HOST, named.get('host')) }
}

function contradict(a: Forwarded, b: Forwarded): boolean {
  const differ = (one: string | undefined, other: string | undefined) =>
    one !== undefined && other !== undefined && one.toLowerCase() !== other.toLowerCase()
  return differ(a.scheme, b.scheme) || differ(a.host, b.host)
}

/** The n-th element of a list, counted from its end; the first, if there are fewer: a proxy may replace the list. */
function nth(list: string | undefined, n: number): string | undefined {
  if (list === undefined) return undefined
  const elements = splitAt(',', list)
  return elements.at(-n) ?? elements[0]
}

/** Splits at a mark, but not inside quotes. */
function splitAt(mark: ',' | ';', text: string): string[] {
  const parts = text.match(mark === ',' ? /(?:[^,"]|"[^"]*"?)+/g : /(?:[^;"]|"[^"]*"?)+/g) ?? []
  return parts.map((part) => part.trim())
}

function matching(pattern: RegExp, value: string | undefined): string | undefined {
  return value !== undefined && pattern.test(value) ? value : undefined
}

function defined({ scheme, host }: Forwarded): { scheme?: string; host?: string } {
  return { ...(scheme === undefined ? {} : { scheme }), ...(host === undefined ? {} : { host }) }
}
