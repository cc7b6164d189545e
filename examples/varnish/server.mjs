// A shop behind Varnish. `PORT=3001 node examples/varnish/server.mjs`, and in front of it
// `varnishd -F -f $PWD/examples/varnish/shop.vcl -a 127.0.0.1:8080` with that port in the VCL file.
import { createServer } from 'node:http'
import { serveBins, toNodeHandler } from 'breadbin/server'
import { memoryStore } from 'breadbin/stores/memory'
import { bins } from './bins.mjs'

const { PORT = '3001' } = process.env
const server = serveBins(bins, { store: memoryStore() })

/** How often each page was made: the rest of its views came from the cache. */
const made = {}

const greetings = { en: 'Fresh bread', de: 'Frisches Brot', fr: 'Du pain frais' }

const routes = {
  // Touches no bin: for everybody the same.
  'GET /about': () => page('About', 'We bake since 1893.'),

  // Reads one cookie bin: the same for everybody in a region.
  'GET /': async (request) => {
    const state = await server.open(request, ['region'])
    const region = state.get('region')
    const response = page('Home', greetings[region])
    // The cache keeps it for this region, whatever the cookie said: an expired one, or a forged one, says nothing.
    response.headers.set('x-region', region)
    return state.save(response)
  },

  // Reads a server bin: for one person. Breadbin takes `public` and `s-maxage` out of the response.
  'GET /cart': async (request) => {
    const state = await server.open(request, ['cart'])
    return state.save(page('Cart', state.get('cart').join(', ') || 'empty'))
  },

  'POST /cart': async (request) => {
    const state = await server.open(request, ['cart'])
    const { bread = '' } = Object.fromEntries(await request.formData())
    await state.update('cart', (cart) => [...cart, bread])
    return state.save(seeOther('/cart'))
  },

  'POST /region': async (request) => {
    const state = await server.open(request, ['region'])
    state.set('region', Object.fromEntries(await request.formData()).region)
    return state.save(seeOther('/'))
  },

  'GET /made': () => Response.json(made, { headers: { 'cache-control': 'no-store' } }),
}

/** A page that a shared cache may keep for a minute, and a browser has to ask for each time. */
function page(title, text) {
  made[title] = (made[title] ?? 0) + 1
  return new Response(`<!doctype html><title>${title}</title><p>${text}\n`, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'public, max-age=0, s-maxage=60',
    },
  })
}

function seeOther(location) {
  return new Response(null, { status: 303, headers: { location } })
}

async function answer(request) {
  const { pathname } = new URL(request.url)
  if (pathname.startsWith(`${bins.path}/`)) return server.fetch(request)
  const route = routes[`${request.method} ${pathname}`]
  return route ? route(request) : new Response('Not found\n', { status: 404 })
}

const http = createServer(toNodeHandler(answer))
http.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${http.address().port}/`))
process.once('SIGTERM', () => {
  http.close()
  http.closeAllConnections()
  server.close()
})
