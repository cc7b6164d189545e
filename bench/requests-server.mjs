// One server of requests.mjs. `GET /` reads the visitor's state and answers its number; `POST /<number>` replaces it.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineBins } from 'breadbin'
import { serveBins } from 'breadbin/server'
import { memoryStore } from 'breadbin/stores/memory'
import * as z from 'zod'

const SECRET = 'n0BcUZ6Q8bq3eRrB3mXo0vT1lqkq0cG8v9YkqKp2y5E'

const State = z.object({
  city: z.string(),
  place: z.object({ latitude: z.number(), longitude: z.number() }),
  zone: z.string(),
  settings: z.object({ units: z.string(), theme: z.string(), language: z.string() }),
  favourites: z.array(z.string()),
  number: z.number(),
})

const [name = 'bare'] = process.argv.slice(2)
const handlers = {
  bare: () => (_request, response) => answer(response, { number: 0 }),
  plain: () => breadbin({ storage: 'cookie' }),
  signed: () => breadbin({ storage: 'cookie', browser: 'read' }),
  sealed: () => breadbin({ storage: 'cookie', browser: 'none' }),
  memory: () => breadbin({}, memoryStore()),
  sqlite: async () => {
    const { sqliteStore } = await import('breadbin/stores/sqlite')
    const folder = mkdtempSync(join(tmpdir(), 'breadbin-bench-'))
    process.on('exit', () => rmSync(folder, { recursive: true }))
    return breadbin({}, sqliteStore(join(folder, 'bins.db')))
  },
  'express-session': () =>
    middleware('express-session', { secret: SECRET, resave: false, saveUninitialized: false }),
  'cookie-session': () => middleware('cookie-session', { keys: [SECRET] }),
  'iron-session': async () => {
    const { getIronSession } = await import('iron-session')
    const options = { password: SECRET, cookieName: 'session', cookieOptions: { secure: false } }
    return async (request, response) => {
      const session = await getIronSession(request, response, options)
      if (request.method === 'POST') {
        session.state = stateOf(numberIn(request))
        await session.save()
      }
      answer(response, session.state)
    }
  },
}

try {
  const http = createServer(await handlers[name]())
  http.keepAliveTimeout = 0
  http.listen(0, '127.0.0.1', () => process.send(http.address().port))
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  process.send('missing')
  process.disconnect()
}
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send(user + system)
})
process.on('disconnect', () => process.exit())

function breadbin(options, store = memoryStore()) {
  const bins = defineBins({ state: { schema: State, ...options } })
  const server = serveBins(bins, { store, secrets: [SECRET] })
  return async (request, response) => {
    const state = await server.open(request, ['state'])
    if (request.method === 'POST') state.set('state', stateOf(numberIn(request)))
    const { number } = state.get('state') ?? {}
    await state.save(response)
    answer(response, { number })
  }
}

/** A peer that is middleware, and keeps whatever is in `request.session`. */
async function middleware(peer, options) {
  const { default: make } = await import(peer)
  const open = make({ name: 'session', ...options })
  return (request, response) =>
    open(request, response, () => {
      if (request.method === 'POST') request.session.state = stateOf(numberIn(request))
      answer(response, request.session.state)
    })
}

function numberIn(request) {
  return Number(request.url.slice(1))
}

/** State of about 200 bytes, each time another one. */
function stateOf(number) {
  return {
    city: 'São Paulo',
    place: { latitude: -23.5505199, longitude: -46.6333094 },
    zone: 'America/Sao_Paulo',
    settings: { units: 'metric', theme: 'dark', language: 'pt-BR' },
    favourites: ['Lisboa', 'Recife', 'Tokyo'],
    number,
  }
}

function answer(response, state) {
  const body = String(state?.number)
  // Without a length, express-session sends chunks.
  response.setHeader('content-length', body.length)
  response.end(body)
}
