import { type } from 'arktype'
import { defineBins } from 'breadbin'
import { openBins } from 'breadbin/client'
import { serveBins } from 'breadbin/server'
import * as v from 'valibot'
import * as z from 'zod'
import * as mini from 'zod/mini'

const zodPoint = z.object({ x: z.number() })
const miniPoint = mini.object({ x: mini.number() })
const valibotPoint = v.object({ x: v.number() })
const arktypePoint = type({ x: 'number' })

// A misspelt option.
defineBins({
  // error: 'maxage' does not exist in type 'BinOptions
  zod: { schema: zodPoint, maxage: '1d' },
  // error: 'maxage' does not exist in type 'BinOptions
  mini: { schema: miniPoint, maxage: '1d' },
  // error: 'maxage' does not exist in type 'BinOptions
  valibot: { schema: valibotPoint, maxage: '1d' },
  // error: 'maxage' does not exist in type 'BinOptions
  arktype: { schema: arktypePoint, maxage: '1d' },
  // error: 'maxage' does not exist in type 'BinOptions
  any: { maxage: '1d' },
})
// error: 'cookies' does not exist in type 'DefinitionsOptions
defineBins({}, { cookies: {} })
// error: '"none"' is not assignable to type '"lax" | "strict" | undefined'
defineBins({}, { cookie: { sameSite: 'none' } })
// error: 'waits' does not exist in type 'ClientOptions'
openBins(defineBins({}), { waits: 1_000 })
// error: 'grants' does not exist in type 'ClientOptions'
openBins(defineBins({}), { grants: [] })
// error: 'string' is not assignable to type 'readonly string[]'
serveBins(defineBins({}), { consent: () => 'preferences' })
// error: 'secret' does not exist in type 'ServerOptions'
serveBins(defineBins({}), { secret: '' })

// A value that an option does not have.
defineBins({
  // error: '"cookies"' is not assignable to type 'BinStorage
  zod: { schema: zodPoint, storage: 'cookies' },
  // error: '"cookies"' is not assignable to type 'BinStorage
  mini: { schema: miniPoint, storage: 'cookies' },
  // error: '"cookies"' is not assignable to type 'BinStorage
  valibot: { schema: valibotPoint, storage: 'cookies' },
  // error: '"cookies"' is not assignable to type 'BinStorage
  arktype: { schema: arktypePoint, storage: 'cookies' },
  // error: '"both"' is not assignable to type 'BrowserAccess
  browser: { browser: 'both' },
  // error: '"me"' is not assignable to type 'BinOwner
  bind: { storage: 'cookie', browser: 'none', bind: 'me' },
  // error: 'boolean' is not assignable to type 'string'
  consent: { consent: true },
  // error: '"5 days"' is not assignable to type '"session" | Duration
  maxAge: { maxAge: '5 days' },
})

// A default that is not the schema's.
defineBins({
  // error: 'number' is not assignable to type 'string'
  zod: { schema: z.string(), default: 1 },
  // error: 'number' is not assignable to type 'string'
  mini: { schema: mini.string(), default: 1 },
  // error: 'number' is not assignable to type 'string'
  valibot: { schema: v.string(), default: 1 },
  // error: 'number' is not assignable to type 'string'
  arktype: { schema: type('string'), default: 1 },
})
defineBins({
  // error: 'string' is not assignable to type 'number'
  zod: { schema: zodPoint, default: { x: 'x' } },
  // error: 'string' is not assignable to type 'number'
  mini: { schema: miniPoint, default: { x: 'x' } },
  // error: 'string' is not assignable to type 'number'
  valibot: { schema: valibotPoint, default: { x: 'x' } },
  // error: 'string' is not assignable to type 'number'
  arktype: { schema: arktypePoint, default: { x: 'x' } },
  // error: 'y' does not exist in type '{ x: number; }'
  more: { schema: zodPoint, default: { x: 1, y: 1 } },
  // error: Property 'x' is missing in type '{}' but required in type '{ x: number; }'
  less: { schema: zodPoint, default: {} },
})

// A schema in place of the options.
defineBins({
  // error: is not assignable to type 'BinOptions
  zod: zodPoint,
  // error: is not assignable to type 'BinOptions
  mini: miniPoint,
  // error: is not assignable to type 'BinOptions
  valibot: valibotPoint,
  // error: is not assignable to type 'BinOptions
  arktype: arktypePoint,
})

// A schema whose output is not its input could not read what it wrote.
defineBins({
  // error: a schema must accept its own output
  zod: { schema: z.string().transform(Number) },
  // error: a schema must accept its own output
  mini: { schema: mini.pipe(mini.string(), mini.transform(Number)) },
  // error: a schema must accept its own output
  valibot: { schema: v.pipe(v.string(), v.transform(Number)) },
  // error: a schema must accept its own output
  arktype: { schema: type('string').pipe(Number) },
})

// A merge function that answers something else.
defineBins({
  // error: 'number' is not assignable to type '{ x: number; }'
  zod: { schema: zodPoint, merge: (_, mine) => mine?.x ?? null },
  // error: 'number' is not assignable to type '{ x: number; }'
  mini: { schema: miniPoint, merge: (_, mine) => mine?.x ?? null },
  // error: 'number' is not assignable to type '{ x: number; }'
  valibot: { schema: valibotPoint, merge: (_, mine) => mine?.x ?? null },
  // error: 'number' is not assignable to type '{ x: number; }'
  arktype: { schema: arktypePoint, merge: (_, mine) => mine?.x ?? null },
  // error: 'undefined' is not assignable to type '{ x: number; } | null'
  absent: { schema: zodPoint, merge: (_, mine) => mine },
  // error: '"lates"' is not assignable to type
  misspelt: { schema: zodPoint, merge: 'lates' },
})

const bins = defineBins({
  zod: { schema: zodPoint },
  mini: { schema: miniPoint },
  valibot: { schema: valibotPoint },
  arktype: { schema: arktypePoint },
  count: { schema: z.number(), default: 0 },
})
const client = await openBins(bins)
const server = await serveBins(bins).open(new Request('http://localhost'))

// Data that is not the schema's.
// error: 'string' is not assignable to type 'number'
client.set('zod', { x: 'x' })
// error: 'string' is not assignable to type 'number'
client.set('mini', { x: 'x' })
// error: 'string' is not assignable to type 'number'
server.set('valibot', { x: 'x' })
// error: 'string' is not assignable to type 'number'
server.set('arktype', { x: 'x' })

// `undefined` deletes nothing.
// error: 'undefined' is not assignable to parameter of type '{ x: number; } | null'
client.set('zod', undefined)
// error: 'undefined' is not assignable to parameter of type 'number | null'
server.set('count', undefined)

// A name that is not defined.
// error: '"nothing"' is not assignable to parameter of type '"arktype" | "count"
client.get('nothing')
// error: '"nothing"' is not assignable to parameter of type '"arktype" | "count"
client.set('nothing', 1)
// error: '"nothing"' is not assignable to parameter of type '"arktype" | "count"
server.has('nothing')
// error: '"nothing"' is not assignable to type '"arktype" | "count"
serveBins(bins).open(new Request('http://localhost'), ['nothing'])

// An update that answers something else, or not at once.
// error: 'string' is not assignable to type 'number'
client.update('count', (count) => `${count}`)
// error: 'undefined' is not assignable to type 'number | null'
client.update('count', () => undefined)
// error: 'void' is not assignable to type 'number | null'
server.update('count', () => {})
// error: 'Promise<number>' is not assignable to type 'number'
server.update('count', async (count) => count)
// error: 'point' is possibly 'undefined'
client.update('zod', (point) => ({ x: point.x + 1 }))
// error: Types of parameters 'point' and 'data' are incompatible
client.subscribe('zod', (point: string) => point)

// Other names have the data of `others`, and known ones their own.
const free = await openBins(defineBins({ known: { schema: zodPoint } }, { others: { schema: z.string() } }))
// error: 'number' is not assignable to parameter of type 'string'
free.set('any name', 1)
// error: 'string' is not assignable to parameter of type '{ x: number; }'
free.set('known', 'text')
// error: 'string | undefined' is not assignable to type 'number'
export const text: number = free.get('any name')
// error: 'number' is not assignable to type 'string'
defineBins({}, { others: { schema: z.string(), default: 1 } })
// error: is not assignable to type 'BinOptions
defineBins({}, { others: zodPoint })
