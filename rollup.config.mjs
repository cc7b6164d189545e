import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import esbuild from 'rollup-plugin-esbuild'

/** The modules that package.json exports, each built from the source of its name. */
const modules = Object.values(JSON.parse(readFileSync('package.json', 'utf8')).exports)
  .map(({ default: file }) => /^\.\/dist\/(.+)\.js$/.exec(file)?.[1])
  .filter((name) => name !== undefined)
const transpile = esbuild({ target: 'es2022', tsconfig: false })
const minify = terser({ ecma: 2020, compress: { passes: 3 } })

/** Leaves out what keeps device and server bins: a script file for pages that use cookies alone. */
const cookiesOnly = {
  name: 'cookies-only',
  resolveId: (id) => (id === './local.ts' ? '\0nothing' : null),
  load: (id) => (id === '\0nothing' ? 'export const openLocal = async () => undefined' : null),
}

/**
 * superjson without what the codec never calls. No bundler can take methods out of its class, so the script files have
 * one with the method that the codec does call; the work in it is done by superjson's own function.
 */
const superjsonReader = {
  name: 'superjson-reader',
  resolveId: (id) => (id === 'superjson' ? '\0superjson' : null),
  load: (id) =>
    id === '\0superjson'
      ? `import { applyValueAnnotations } from '${fileURLToPath(new URL('./plainer.js', import.meta.resolve('superjson')))}'
         export class SuperJSON {
           deserialize({ json, meta }) {
             return applyValueAnnotations(json, meta.values, meta.v, this)
           }
         }`
      : null,
}

const script = (input, file, plugins) => ({
  input,
  output: { file, format: 'iife', name: 'breadbin', inlineDynamicImports: true, sourcemap: true },
  plugins: [...plugins, superjsonReader, nodeResolve({ browser: true }), transpile, minify],
})

export default [
  {
    // All entries in one build, so that they share chunks: two copies of a module would be two `BinsError` classes.
    input: Object.fromEntries(modules.map((name) => [name, `src/${name}.ts`])),
    external: (id) => !id.startsWith('.') && !id.startsWith('/'),
    output: { dir: 'dist', chunkFileNames: 'chunks/[name]-[hash].js', sourcemap: true },
    plugins: [transpile],
  },
  script('src/script.ts', 'dist/breadbin.min.js', []),
  script('src/header-script.ts', 'dist/breadbin.header.min.js', []),
  script('src/cookie-script.ts', 'dist/breadbin.cookie.min.js', [cookiesOnly]),
]
