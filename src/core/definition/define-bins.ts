import type { StandardSchemaV1 } from '@standard-schema/spec'
import { check, checkKeys } from '../check.ts'
import { BinsError } from '../error.ts'
import { MAX_COOKIE_AGE, MAX_NAME_BYTES } from '../limits.ts'
import { utf8Length } from '../utf8.ts'
import { toText } from './bin-text.ts'
import type {
  BinOptions,
  CookieOptions,
  Definition,
  Definitions,
  DefinitionsOptions,
  SchemaInput,
  SchemaOutput,
} from './definition.ts'
import { toSeconds } from './duration.ts'

/** What a bin's name must be. */
const NAME_RULE = `a bin's name is a well-formed string of 1 to ${MAX_NAME_BYTES} UTF-8 bytes`

/** What a path must be. */
const PATH_RULE = "pass an absolute path such as '/bins'"

const BIN_OPTIONS =
  'schema default storage store scope browser bind consent maxAge renew merge version migrate'.split(' ')

type Data<Schema, Default> = unknown extends Default
  ? unknown extends Schema
    ? unknown
    : undefined extends SchemaInput<Schema>
      ? SchemaOutput<Schema>
      : SchemaOutput<Schema> | undefined
  : unknown extends Schema
    ? Default
    : SchemaOutput<Schema>

/**
 * Defines the bins of an application, in one module that browser and server import.
 *
 * @throws TypeError for a definition that cannot work, naming the bin and the option.
 */
export function defineBins<Schemas extends Record<string, unknown>, Defaults, Others = never>(
  bins: { [Name in keyof Schemas]: BinOptions<Schemas[Name]> } & {
    // The second half finds out which bins have a default, by inference into a branch that is never taken; so the first
    // half alone checks it, and errors speak of the schema's own types.
    [Name in keyof Defaults]: { default?: [Defaults] extends [never] ? Defaults[Name] : unknown }
  },
  options: DefinitionsOptions<Others> = {},
): Definitions<
  { [Name in keyof Schemas]: Data<Schemas[Name], Name extends keyof Defaults ? Defaults[Name] : unknown> },
  [Others] extends [never] ? never : Data<Others, unknown>
> {
  checkKeys('options', options, ['path', 'cookie', 'others'])
  const known = new Map<string, Definition>()
  for (const [name, bin] of Object.entries<BinOptions>(bins)) {
    check(isName(name), JSON.stringify(name), NAME_RULE)
    known.set(name, define(name, bin))
  }
  const { path = '/bins', cookie = {} } = options
  const others = options.others && define('others', options.others)
  check(/^(?:\/[\w.~-]+)+$/.test(path), 'path', PATH_RULE)
  return Object.freeze({
    names: Object.freeze([...known.keys()]),
    others,
    path,
    cookie: Object.freeze(defineCookies(cookie)),
    knows: (name: string) => known.has(name) || (others !== undefined && isName(name)),
    find(name: string): Definition {
      const definition = known.get(name)
      if (definition) return definition
      if (others && isName(name)) return { ...others, name }
      throw new BinsError(
        'UNKNOWN_BIN',
        `No bin is called ${JSON.stringify(name)}; define it in defineBins().`,
        {
          bin: name,
        },
      )
    },
  })
}

/** Whether a string can be the name of a bin. */
function isName(name: string): boolean {
  return (
    name !== '' && name.length <= MAX_NAME_BYTES && name.isWellFormed() && utf8Length(name) <= MAX_NAME_BYTES
  )
}

/**
 * Fills in the defaults of a bin's options.
 *
 * @throws TypeError for what cannot work.
 */
function define(name: string, options: BinOptions): Definition {
  const where = `bin ${JSON.stringify(name)}`
  check(
    typeof options === 'object' && options !== null && !('~standard' in options),
    where,
    'pass { schema, … }',
  )
  checkKeys(where, options, BIN_OPTIONS)
  const { schema, storage = 'server', store = 'default', maxAge = '30d', renew = 'write' } = options
  const {
    scope = 'visitor',
    browser = storage === 'server' ? 'none' : 'write',
    bind = 'none',
    consent,
    merge = 'latest',
    version = 1,
    migrate,
  } = options
  oneOf(where, 'storage', storage, ['server', 'cookie', 'device'])
  oneOf(where, 'scope', scope, ['visitor', 'user'])
  oneOf(where, 'browser', browser, ['write', 'read', 'none'])
  oneOf(where, 'bind', bind, ['none', 'visitor', 'user'])
  check(
    consent === undefined || /./.test(consent),
    `${where}: consent`,
    "pass a category, such as 'preferences'",
  )
  oneOf(where, 'renew', renew, ['write', 'read', 'never'])
  if (typeof merge !== 'function') oneOf(where, 'merge', merge, ['latest', 'server', 'fields'])
  const definition: Definition = {
    name,
    schema: toSchema(where, schema),
    hasDefault: options.default !== undefined,
    default: options.default,
    storage,
    store,
    scope,
    browser,
    bind,
    consent,
    maxAge: maxAge === 'session' ? maxAge : toSeconds(maxAge, `${where}: maxAge`),
    renew,
    merge,
    version,
    migrate,
  }
  checkTogether(where, definition)
  return definition
}

/** Fills in the defaults of the cookies' options. */
function defineCookies(options: CookieOptions): Definitions['cookie'] {
  checkKeys('cookie', options, ['prefix', 'domain', 'path', 'sameSite', 'embedded'])
  const { prefix = 'bb', domain, path = '/', embedded = false } = options
  const sameSite = options.sameSite ?? (embedded ? 'none' : 'lax')
  check(
    /^[A-Za-z0-9]{1,16}$/.test(prefix),
    'cookie.prefix',
    'pass 1 to 16 characters out of A–Z, a–z and 0–9',
  )
  check(
    domain === undefined || /^[\w.-]+$/.test(domain),
    'cookie.domain',
    "pass a host name such as 'example.org'",
  )
  oneOf('cookie', 'embedded', String(embedded), ['true', 'false'])
  oneOf('cookie', 'sameSite', sameSite, embedded ? ['none'] : ['lax', 'strict'])
  check(/^\/[\w./~-]*$/.test(path), 'cookie.path', PATH_RULE)
  return { prefix, path, sameSite, ...(domain === undefined ? {} : { domain }) }
}

function oneOf(where: string, option: string, value: string, allowed: readonly string[]): void {
  check(allowed.includes(value), `${where}: ${option}`, `pass one of '${allowed.join("', '")}'`)
}

function toSchema(where: string, schema: unknown): StandardSchemaV1 | undefined {
  if (schema === undefined) return undefined
  const isObject = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  check(
    isObject && '~standard' in schema,
    `${where}: schema`,
    'pass a Standard Schema, as of zod, valibot or arktype',
  )
  // The property is what makes it a Standard Schema; in arktype it is that of a function.
  return schema as unknown as StandardSchemaV1
}

function checkTogether(where: string, definition: Definition): void {
  const { storage, browser, store, scope, bind, consent, maxAge, version, migrate, hasDefault } = definition
  check(
    storage !== 'device' || browser === 'write',
    where,
    "a device bin is the browser's: leave out browser",
  )
  check(storage === 'server' || store === 'default', where, 'only a server bin has a store: leave out store')
  check(
    scope === 'visitor' || (storage === 'server' && maxAge !== 'session'),
    where,
    "only a server bin can follow a user, and not for a browser's session: leave out scope",
  )
  check(
    storage !== 'cookie' || maxAge === 'session' || maxAge <= MAX_COOKIE_AGE,
    `${where}: maxAge`,
    "browsers keep a cookie for 400 days at most: pass '400d' or less",
  )
  check(
    bind === 'none' || (storage === 'cookie' && browser !== 'write'),
    `${where}: bind`,
    "only a signed or sealed cookie can belong to somebody: pass browser: 'read' or 'none'",
  )
  check(
    bind !== 'user' || browser === 'none',
    `${where}: bind`,
    "whoever uses the browser next could read a signed cookie: pass browser: 'none'",
  )
  check(
    consent === undefined || scope === 'visitor',
    `${where}: consent`,
    'it is asked for in each browser, and the bin follows its user to others: leave out one of the two',
  )
  check(Number.isSafeInteger(version) && version > 0, `${where}: version`, 'pass a whole number from 1')
  check(migrate === undefined || typeof migrate === 'function', `${where}: migrate`, 'pass a function')
  if (!hasDefault) return
  try {
    toText(definition, definition.default)
  } catch (cause) {
    throw new TypeError(`${where}: default: the schema or the codec refuses it.`, { cause })
  }
}
