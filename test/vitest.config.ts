import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { closingLine } from './support/closing-line.ts'

/** Folders of tests that need nothing but Node. */
const NODE = ['core', 'server', 'stores', 'buses', 'testing', 'simulator', 'types', 'package', 'examples']

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    reporters: ['default', closingLine()],
    setupFiles: 'test/support/no-tokens.ts',
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: NODE.map((folder) => `test/${folder}/**/*.test.ts`),
          // Several start processes, on machines of two cores.
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: { name: 'happy-dom', include: ['test/client/**/*.test.ts'], environment: 'happy-dom' },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/e2e/**/*.test.ts'],
          // A browser takes both cores: one at a time, and after all others.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
