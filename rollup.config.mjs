import { readdirSync } from 'node:fs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import esbuild from 'rollup-plugin-esbuild'

const stores = readdirSync('src/stores').filter((file) => file.endsWith('.ts'))
const transpile = esbuild({ target: 'es2022', tsconfig: false })
const minify = terser({ ecma: 2020, compress: { passes: 3 } })

/** Leaves out what keeps device and server bins: a script file for pages that use cookies alone. */
const cookiesOnly = {
  name: 'cookies-only',
  resolveId: (id) => (id === './local.ts' ? '\0nothing' : null),
  load: (id) => (id === '\0nothing' ? 'export const openLocal = async () => undefined' : null),
}

const script = (file, plugins) => ({
  input: 'src/script.ts',
  output: { file, format: 'iife', name: 'breadbin', inlineDynamicImports: true, sourcemap: true },
  plugins: [...plugins, nodeResolve({ browser: true }), transpile, minify],
})

export default [
  {
    // All entries in one build, so that they share chunks: two copies of a module would be two `BinsError` classes.
    input: {
      index: 'src/index.ts',
      client: 'src/client.ts',
      server: 'src/server.ts',
      testing: 'src/testing.ts',
      ...Object.fromEntries(stores.map((file) => [`stores/${file.slice(0, -3)}`, `src/stores/${file}`])),
    },
    external: (id) => !id.startsWith('.') && !id.startsWith('/'),
    output: { dir: 'dist', chunkFileNames: 'chunks/[name]-[hash].js', sourcemap: true },
    plugins: [transpile],
  },
  script('dist/breadbin.min.js', []),
  script('dist/breadbin.cookie.min.js', [cookiesOnly]),
]
