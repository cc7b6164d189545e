import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { needs } from '../support/needs.ts'
import { ROOT } from '../support/run.ts'
import { findPort, type Started, startProgram } from '../support/servers/program.ts'
import { startVarnish, type Varnish } from '../support/servers/varnish.ts'

const varnishd = needs('varnish')
const EXAMPLE = join(ROOT, 'examples/varnish')

let shop: Started
let varnish: Varnish

/** Somebody's browser: it keeps cookies, and brings some of other programs along. */
function openVisitor(foreign = '') {
  const cookies = new Map<string, string>()
  const seen: string[] = []

  async function request(path: string, init: RequestInit = {}): Promise<Response> {
    const own = [...cookies].map(([name, value]) => `${name}=${value}`)
    const cookie = [foreign, ...own].filter((part) => part !== '').join('; ')
    const headers = cookie === '' ? {} : { cookie }
    const response = await fetch(varnish.url + path, { redirect: 'manual', headers, ...init })
    for (const line of response.headers.getSetCookie()) {
      seen.push(line)
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    return response
  }

  return {
    cookies,
    seen,
    request,
    read: async (path: string) => (await (await request(path)).text()).replace(/^.*<p>/s, '').trim(),
    post: (path: string, fields: Record<string, string>) =>
      request(path, { method: 'POST', body: new URLSearchParams(fields) }),
  }
}

/** How often the shop has made each page. */
async function made(): Promise<Record<string, number>> {
  return (await fetch(`${varnish.url}/made`)).json()
}

if (varnishd) {
  describe('the shop behind Varnish', () => {
    beforeEach(async () => {
      const port = await findPort()
      const node = join(ROOT, 'node_modules/.bin/node')
      shop = await startProgram(node, [join(EXAMPLE, 'server.mjs')], {
        port,
        folder: EXAMPLE,
        env: { PORT: String(port) },
      })
      varnish = await startVarnish(varnishd, join(EXAMPLE, 'shop.vcl'), port)
    })

    afterEach(async () => {
      await varnish?.stop()
      await shop?.stop()
    })

    it('makes a page once for all who have stored nothing, bins or not', async () => {
      for (let index = 0; index < 200; index += 1) {
        const visitor = openVisitor(index % 2 === 0 ? '' : `_ga=GA1.2.${index}; consent=yes; rabbit=${index}`)
        expect(await visitor.read('/about')).toBe('We bake since 1893.')
        expect(await visitor.read('/')).toBe('Fresh bread')
        expect(visitor.seen).toEqual([])
      }
      expect(await made()).toEqual({ About: 1, Home: 1 })
    })

    it('makes a page once for each region, whenever that was chosen', async () => {
      for (let index = 0; index < 30; index += 1) {
        const region = ['en', 'de', 'fr'][index % 3] ?? ''
        const visitor = openVisitor('_ga=1')
        await visitor.post('/region', { region })
        expect(await visitor.read('/')).toBe(
          { en: 'Fresh bread', de: 'Frisches Brot', fr: 'Du pain frais' }[region],
        )
        expect((await visitor.request('/')).headers.get('vary')).toBe('Cookie')
      }
      expect(await openVisitor().read('/')).toBe('Fresh bread')
      expect(await made()).toEqual({ Home: 4 })
    })

    it('shows everybody their own cart, and sets nobody a cookie of somebody else', async () => {
      const visitors = Array.from({ length: 20 }, (_, index) => ({ index, ...openVisitor() }))
      await Promise.all(visitors.map(({ index, post }) => post('/cart', { bread: `loaf ${index}` })))
      await Promise.all(
        visitors.map(async ({ index, read }) => {
          for (let view = 0; view < 3; view += 1) {
            expect(await read('/cart')).toBe(`loaf ${index}`)
            expect(await read('/')).toBe('Fresh bread')
          }
          expect(await openVisitor().read('/cart')).toBe('empty')
        }),
      )
      const tokens = visitors.map(({ cookies }) => cookies.get('bb'))
      expect(new Set(tokens).size).toBe(20)
      expect(tokens).not.toContain(undefined)
    })

    it('keeps no page for a region that the server did not believe in', async () => {
      for (const head of ['1.1.0.1', '1.1.1.1']) {
        const expired = openVisitor(`bb-region=${head}.'{'json':'de'}`)
        expect(await expired.read('/')).toBe('Fresh bread')
      }
      const german = openVisitor()
      await german.post('/region', { region: 'de' })
      expect(await german.read('/')).toBe('Frisches Brot')
    })

    it('does not let requests name their region', async () => {
      const headers = { 'x-region': 'de', 'x-cookie': "bb-region=1.1.0.0.'{'json':'de'}" }
      expect(await (await openVisitor().request('/', { headers })).text()).toContain('Fresh bread')
      expect(await openVisitor().read('/')).toBe('Fresh bread')
    })
  })
}
