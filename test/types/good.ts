import { type } from 'arktype'
import { type Bins, defineBins } from 'breadbin'
import { type ClientBins, openBins } from 'breadbin/client'
import { type ServerBins, serveBins } from 'breadbin/server'
import { memoryStore } from 'breadbin/stores/memory'
import * as v from 'valibot'
import * as z from 'zod'
import * as mini from 'zod/mini'

/** Compiles if the argument's type is just this one. */
declare function expectType<Expected>(): <Actual>(
  actual: Actual,
  ...different: Equal<Expected, Actual> extends true ? [] : [never]
) => void

type Equal<One, Other> =
  (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false

interface Point {
  x: number
}
type Theme = 'light' | 'dark'

const bins = defineBins(
  {
    zod: { schema: z.object({ x: z.number() }) },
    zodOwnDefault: { schema: z.enum(['light', 'dark']).default('light'), storage: 'cookie', maxAge: '400d' },
    zodDefault: { schema: z.object({ x: z.number() }), default: { x: 1 }, browser: 'write' },
    zodTransform: { schema: z.string().transform((text) => text.trim()), maxAge: 'session' },
    mini: { schema: mini.object({ x: mini.number() }), storage: 'device' },
    miniOwnDefault: { schema: mini._default(mini.enum(['light', 'dark']), 'light'), storage: 'cookie' },
    miniDefault: { schema: mini.number(), default: 0, renew: 'never' },
    valibot: { schema: v.object({ x: v.number() }), maxAge: 3_600 },
    valibotOwnDefault: { schema: v.optional(v.picklist(['light', 'dark']), 'light'), maxAge: '1.5h' },
    valibotDefault: { schema: v.array(v.string()), default: [] },
    arktype: { schema: type({ x: 'number' }), store: 'fast' },
    arktypeDefault: { schema: type('string[]'), default: [] },
    any: {},
    anyDefault: { default: { x: 1 } },
  },
  { path: '/state', cookie: { prefix: 'app', sameSite: 'strict' } },
)
const server = serveBins(bins, { stores: { fast: memoryStore() }, secrets: [] })
const request = new Request('http://localhost')

// Data may be absent, unless the bin or its schema has a default.
async function readsData(state: ClientBins<typeof bins>): Promise<void> {
  expectType<Point | undefined>()(state.get('zod'))
  expectType<Theme>()(state.get('zodOwnDefault'))
  expectType<Point>()(state.get('zodDefault'))
  expectType<string | undefined>()(state.get('zodTransform'))
  expectType<Point | undefined>()(state.get('mini'))
  expectType<Theme>()(state.get('miniOwnDefault'))
  expectType<number>()(state.get('miniDefault'))
  expectType<Point | undefined>()(state.get('valibot'))
  expectType<Theme>()(state.get('valibotOwnDefault'))
  expectType<string[]>()(state.get('valibotDefault'))
  expectType<Point | undefined>()(state.get('arktype'))
  expectType<string[]>()(state.get('arktypeDefault'))
  expectType<unknown>()(state.get('any'))
  expectType<{ x: number }>()(state.get('anyDefault'))
}

async function writesData(state: ClientBins<typeof bins>): Promise<void> {
  state.set('zod', { x: 1 })
  state.set('zod', null)
  state.set('zodOwnDefault', 'dark')
  state.set('any', ['anything'])
  expectType<number>()(await state.update('miniDefault', (count) => count + 1))
  expectType<Point | undefined>()(await state.update('zod', (point) => ({ x: (point?.x ?? 0) + 1 })))
  await state.update('valibotDefault', (texts) => [...texts, 'text'])
  await state.update('arktype', () => null)
  state.subscribe('mini', (point) => expectType<Point | undefined>()(point))
}

// One function for both sides.
async function writesOnEitherSide(state: Bins<typeof bins>): Promise<void> {
  expectType<Theme>()(state.get('miniOwnDefault'))
  await state.update('miniDefault', (count) => count + 1)
}

async function runsOnEitherSide(): Promise<void> {
  const client = await openBins(bins, { wait: 1_000, onEvent: (event) => event.type })
  expectType<ClientBins<typeof bins>>()(client)
  await writesOnEitherSide(client)
  await readsData(client)
  await writesData(client)
  const state = await server.open(request, ['zod', 'miniDefault'])
  expectType<ServerBins<typeof bins>>()(state)
  await writesOnEitherSide(state)
  await server.handle(request, async (opened) => {
    await writesOnEitherSide(opened)
    return new Response(opened.get('zodOwnDefault'))
  })
}
void runsOnEitherSide

// The data of merge functions comes from the schema, with nothing written down.
defineBins({
  zod: {
    schema: z.object({ x: z.number() }),
    merge: (base, mine, theirs) => {
      expectType<Point | undefined>()(base)
      return mine ?? theirs ?? null
    },
  },
  mini: { schema: mini.array(mini.string()), merge: (_, mine = [], theirs = []) => [...mine, ...theirs] },
  valibot: {
    schema: v.number(),
    default: 0,
    merge: (base = 0, mine = 0, theirs = 0) => mine + theirs - base,
  },
  arktype: { schema: type('string'), merge: (base, mine, theirs) => theirs ?? mine ?? base ?? null },
  named: { merge: 'fields' },
})

// With `others`, every name may be used; what is not named has the schema of others.
async function keepsOthers(): Promise<void> {
  const state = await openBins(
    defineBins({ known: { schema: z.number() } }, { others: { schema: z.string() } }),
  )
  expectType<number | undefined>()(state.get('known'))
  expectType<string | undefined>()(state.get('any name'))
  state.set('any name', 'text')
  const free = await openBins(defineBins({}, { others: {} }))
  expectType<unknown>()(free.get('any name'))
}
void keepsOthers
