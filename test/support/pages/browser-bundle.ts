import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Bundles a module of the tests, with all it imports, for a script in a page. */
export async function bundle(url: URL): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(url)],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    // A page's HTML must not end the script, and errors must be readable.
    charset: 'ascii',
    sourcemap: false,
  })
  return outputFiles[0]?.text ?? ''
}
