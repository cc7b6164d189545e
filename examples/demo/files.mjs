import { readFile } from 'node:fs/promises'

/**
 * There is no bundler: the browser loads the files that Node loads, under the paths they have in this folder, and an
 * import map tells it where `breadbin` and the libraries behind it are.
 */
const ROOT = new URL('../../', import.meta.url)
const LIBRARIES = [
  'breadbin',
  'breadbin/client',
  'copy-anything',
  'idb-keyval',
  'js-cookie',
  'superjson',
  'valibot',
]
const resolved = LIBRARIES.map((name) => [name, import.meta.resolve(name)])

export const importMap = JSON.stringify({
  imports: Object.fromEntries(resolved.map(([name, url]) => [name, url.replace(ROOT.href, '/')])),
})

/** Nothing else of this folder is served: neither the data, nor the secret, nor the server's code. */
const SERVED = [
  ...resolved.map(([, url]) => new URL('.', url).href),
  ...['page/', 'bins.mjs', 'shop.mjs'].map((path) => new URL(path, import.meta.url).href),
]

const TYPES = { css: 'text/css', js: 'text/javascript', mjs: 'text/javascript', svg: 'image/svg+xml' }

/** Answers with one of the files, or not at all. */
export async function sendFile(pathname) {
  // URL resolves `..` and `%2e%2e`, so that what it begins with is where it is.
  const url = new URL(`.${pathname}`, ROOT)
  const type = TYPES[url.pathname.split('.').at(-1)]
  if (!type || !SERVED.some((start) => url.href.startsWith(start))) return undefined
  try {
    const headers = { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-cache' }
    return new Response(await readFile(url), { headers })
  } catch {
    // Not there, or a path that no file can have, such as one with %2F in it.
    return undefined
  }
}
