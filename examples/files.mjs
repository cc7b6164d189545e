import { readFile } from 'node:fs/promises'

/**
 * There is no bundler: the browser loads the files that Node loads, under the paths they have in this folder, and an
 * import map tells it where `breadbin` and the libraries behind it are.
 */
const ROOT = new URL('../', import.meta.url)
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

const TYPES = { css: 'text/css', js: 'text/javascript', mjs: 'text/javascript', svg: 'image/svg+xml' }

/**
 * Serves these files and folders of an example, and the libraries. Nothing else: neither the data, nor the secret, nor the
 * server's code. What it returns answers with one of the files, or not at all.
 */
export function serveFiles(example, paths) {
  const served = [
    ...resolved.map(([, url]) => new URL('.', url).href),
    ...paths.map((path) => new URL(path, example).href),
  ]
  return async (pathname) => {
    // URL resolves `..` and `%2e%2e`, so that what it begins with is where it is.
    const url = new URL(`.${pathname}`, ROOT)
    const type = TYPES[url.pathname.split('.').at(-1)]
    if (!type || !served.some((start) => url.href.startsWith(start))) return undefined
    try {
      const headers = { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-cache' }
      return new Response(await readFile(url), { headers })
    } catch {
      // Not there, or a path that no file can have, such as one with %2F in it.
      return undefined
    }
  }
}
