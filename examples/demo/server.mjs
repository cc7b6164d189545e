import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { BinsError } from 'breadbin'
import { serveBins, toNodeHandler } from 'breadbin/server'
import { sqliteStore } from 'breadbin/stores/sqlite'
import { bins } from './bins.mjs'
import { sendFile } from './files.mjs'
import { HEADERS, renderPage } from './page.mjs'
import { readSecret } from './secret.mjs'
import { withMore } from './shop.mjs'

const { BREADBIN_SECRETS, DATA = join(import.meta.dirname, '.data'), PORT = '3000' } = process.env
mkdirSync(DATA, { recursive: true, mode: 0o700 })

/** What Breadbin tells its owner, such as that somebody has forged a cookie. */
const events = []

const server = serveBins(bins, {
  store: sqliteStore(join(DATA, 'bins.db')),
  secrets: BREADBIN_SECRETS ? BREADBIN_SECRETS.split(',') : [readSecret(join(DATA, 'secret'))],
  onEvent(event) {
    events.push(event)
    if (events.length > 100) events.shift()
    console.log('event', event)
  },
})

const routes = {
  'GET /': (request) =>
    server.handle(request, async (state) => {
      // Without a visitor there is nothing to count for, and reading a page makes none.
      if (state.visitor) await state.update('seen', (views) => views + 1)
      return new Response(renderPage(state), { headers: HEADERS })
    }),

  // What the server reads from the same cookies: the page shows it beside its own data.
  'GET /server-reads': (request) =>
    server.handle(request, (state) => {
      const before = events.length
      const read = Object.fromEntries(bins.names.map((name) => [name, state.get(name)]))
      return Response.json({ read, events: events.slice(before) })
    }),

  // The forms of the page. With JavaScript, the page does the first four itself, whether this server runs or not.
  'POST /theme': change('theme', (state, form) => state.set('theme', form.get('theme'))),
  'POST /region': change('region', (state, form) => state.set('region', form.get('region'))),
  'POST /cart/add': change('cart', (state, form) =>
    state.update('cart', (cart) => withMore(cart, form.get('bread'), 1)),
  ),
  'POST /cart/remove': change('cart', (state, form) =>
    state.update('cart', (cart) => withMore(cart, form.get('bread'), -1)),
  ),
  'POST /plan': change('plan', (state) => state.set('plan', 'plus')),
}

/** A form's way: open the bin, change it, and send the browser back to the page. */
function change(name, edit) {
  const handler = async (state, request) => {
    await edit(state, await request.formData())
    return new Response(null, { status: 303, headers: { location: `/#${name}` } })
  }
  return (request) => server.handle(request, (state) => handler(state, request), { bins: [name] })
}

async function answer(request) {
  const { pathname } = new URL(request.url)
  if (pathname.startsWith(`${bins.path}/`)) return server.fetch(request)
  const route = routes[`${request.method} ${pathname}`]
  if (!route) return (await sendFile(pathname)) ?? new Response('Not found\n', { status: 404 })
  // Forms of other sites must not change anything here.
  const site = request.headers.get('sec-fetch-site') ?? 'none'
  if (request.method === 'POST' && site !== 'same-origin' && site !== 'none') return refuse(403)
  try {
    return await route(request)
  } catch (error) {
    if (error instanceof BinsError && error.code === 'INVALID_DATA') return refuse(400)
    console.error(error)
    return refuse(503)
  }
}

function refuse(status) {
  return new Response('This could not be done.\n', { status })
}

const http = createServer(toNodeHandler(answer))
http.on('error', (error) => {
  console.error(error.code === 'EADDRINUSE' ? `Port ${PORT} is taken; try PORT=0 npm start.` : error)
  process.exitCode = 1
})
http.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`Breadbin's demo is at http://localhost:${http.address().port}/ (Ctrl+C stops it)`)
})

const sweeping = setInterval(() => server.sweep(), 3_600_000)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    clearInterval(sweeping)
    http.close(() => server.close())
  })
}
