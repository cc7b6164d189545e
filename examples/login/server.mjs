// A shop whose carts survive the login, and follow the user: `node examples/login/server.mjs`.
import { createServer } from 'node:http'
import { serveBins, toNodeHandler } from 'breadbin/server'
import { memoryStore } from 'breadbin/stores/memory'
import { serveFiles } from '../files.mjs'
import { bins, breads, withMore } from './bins.mjs'
import { renderPage } from './html.mjs'
import { logIn, logOut, logOutOthers, userOf } from './sessions.mjs'

const { PORT = '3002' } = process.env
const sendFile = serveFiles(import.meta.url, ['page/', 'bins.mjs'])

const server = serveBins(bins, {
  store: memoryStore(),
  // All that Breadbin needs to know of the login. It merges the carts and changes the visitor's secret by itself.
  user: userOf,
  label: ({ headers }) => /Firefox|Edg|Chrome|Safari/.exec(headers.get('user-agent') ?? '')?.[0],
})

const routes = {
  'GET /': (request) =>
    server.handle(request, async (state) => {
      const user = userOf(request)
      if (state.visitor) await state.update('views', (views) => views + 1)
      const visitors = user === null ? [] : await server.visitors(user)
      const headers = { 'content-type': 'text/html; charset=utf-8' }
      return new Response(renderPage(state, { user, visitors }), { headers })
    }),

  'POST /add': (request) =>
    server.handle(request, async (state) => {
      const { bread } = Object.fromEntries(await request.formData())
      if (breads.includes(bread)) await state.update('cart', (cart) => withMore(cart, bread, 1))
      return seeOther()
    }),

  'POST /login': async (request) => {
    const cookie = logIn(Object.fromEntries(await request.formData()))
    return cookie ? seeOther(cookie) : new Response('Wrong name or password.\n', { status: 403 })
  },

  'POST /logout': (request) => seeOther(logOut(request)),

  // Breadbin takes the bins away from the others; who is logged in is the application's to say.
  'POST /revoke': (request) =>
    server.handle(request, async (state) => {
      const user = userOf(request)
      if (user === null || !state.visitor) return seeOther()
      await server.revoke(user, { except: state.visitor.tag })
      logOutOthers(request)
      return seeOther()
    }),
}

function seeOther(cookie) {
  const headers = new Headers({ location: '/' })
  if (cookie) headers.append('set-cookie', cookie)
  return new Response(null, { status: 303, headers })
}

async function answer(request) {
  const { pathname } = new URL(request.url)
  if (pathname.startsWith(`${bins.path}/`)) return server.fetch(request)
  // Forms of other sites must not log anybody in, or out.
  const site = request.headers.get('sec-fetch-site') ?? 'none'
  if (request.method === 'POST' && site !== 'same-origin' && site !== 'none')
    return new Response(null, { status: 403 })
  const route = routes[`${request.method} ${pathname}`]
  if (route) return route(request)
  return (await sendFile(pathname)) ?? new Response('Not found\n', { status: 404 })
}

const http = createServer(toNodeHandler(answer))
http.listen(Number(PORT), '127.0.0.1', () => console.log(`http://localhost:${http.address().port}/`))
process.once('SIGTERM', () => {
  http.close()
  http.closeAllConnections()
  server.close()
})
