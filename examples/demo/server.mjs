import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { serveBins, toNodeHandler } from 'breadbin/server'
import { sqliteStore } from 'breadbin/stores/sqlite'
import { serveFiles } from '../files.mjs'
import { bins } from './bins.mjs'
import { HEADERS, renderPage } from './html.mjs'
import { readSecret } from './secret.mjs'
import { withMore } from './shop.mjs'

const { BREADBIN_SECRETS, DATA = join(import.meta.dirname, '.data'), PORT = '3000' } = process.env
mkdirSync(DATA, { recursive: true, mode: 0o700 })

const sendFile = serveFiles(import.meta.url, ['page/', 'bins.mjs', 'shop.mjs'])

/** What Breadbin tells its owner, such as that somebody has forged a cookie. */
let events = []

const server = serveBins(bins, {
  store: sqliteStore(join(DATA, 'bins.db')),
  secrets: BREADBIN_SECRETS ? BREADBIN_SECRETS.split(',') : [readSecret(join(DATA, 'secret'))],
  onEvent(event) {
    events = [...events.slice(-99), event]
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
      // Reading is synchronous: nobody else's events get in between.
      events = []
      const read = Object.fromEntries(bins.names.map((name) => [name, state.get(name)]))
      return Response.json({ read, kept: state.names(), events })
    }),

  // The forms of the page. With JavaScript, the page does all but the last itself, whether this server runs or not.
  'POST /theme': change('theme', (state, form) => state.set('theme', form.theme ?? '')),
  'POST /region': change('region', (state, form) => state.set('region', form.region ?? '')),
  'POST /cart/add': change('cart', (state, { bread = '' }) =>
    state.update('cart', (cart) => withMore(cart, bread, 1)),
  ),
  'POST /cart/remove': change('cart', (state, { bread = '' }) =>
    state.update('cart', (cart) => withMore(cart, bread, -1)),
  ),
  'POST /plan': change('plan', (state) => state.set('plan', 'plus')),
}

/** A form's way: open the bin, change it, and send the browser back to the page. */
function change(name, edit) {
  return async (request) => {
    const form = Object.fromEntries(await request.formData().catch(() => []))
    const handler = async (state) => {
      await edit(state, form)
      return new Response(null, { status: 303, headers: { location: `/#${name}` } })
    }
    return server.handle(request, handler, { bins: [name] })
  }
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
    if (error.code === 'INVALID_DATA') return refuse(400)
    console.error(error)
    return refuse(503)
  }
}

function refuse(status) {
  return new Response('This could not be done.\n', { status })
}

const handler = toNodeHandler(answer)
let isClosing = false
// A browser asks again on the connection on which its stream of events has just ended.
const http = createServer((...exchange) => (isClosing ? exchange[0].socket.destroy() : handler(...exchange)))
http.on('error', (error) => {
  console.error(error.code === 'EADDRINUSE' ? `Port ${PORT} is taken; try PORT=0 npm start.` : error)
  process.exitCode = 1
})
http.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`Breadbin's demo is at http://localhost:${http.address().port}/ (Ctrl+C stops it)`)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    isClosing = true
    http.close()
    // Open pages hear that the server goes, and come back later.
    server.close().catch(console.error)
    // Browsers open connections to spare, on which nothing was ever asked, and which would hold this up.
    setTimeout(() => http.closeAllConnections(), 500).unref()
  })
}
