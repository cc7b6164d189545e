import { readdirSync } from 'node:fs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import esbuild from 'rollup-plugin-esbuild'

const stores = readdirSync('src/stores').filter((file) => file.endsWith('.ts'))
const transpile = esbuild({ target: 'es2022', tsconfig: false })

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
  {
    input: 'src/script.ts',
    output: {
      file: 'dist/breadbin.min.js',
      format: 'iife',
      name: 'breadbin',
      inlineDynamicImports: true,
      sourcemap: true,
    },
    plugins: [nodeResolve({ browser: true }), transpile, terser({ ecma: 2020, compress: { passes: 2 } })],
  },
]
