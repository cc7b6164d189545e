import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { closingLine } from './support/closing-line.ts'
import { FileOrder } from './support/file-order.ts'
import { isLong } from './support/long.ts'

/** Folders of tests that need nothing but Node. */
const NODE = [
  ...['core', 'stores', 'buses', 'migrate', 'server', 'testing'],
  ...['scenarios', 'simulator', 'types', 'package', 'examples'],
]

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    reporters: ['default', closingLine()],
    globalSetup: 'test/support/compile-cache.ts',
    setupFiles: 'test/support/no-tokens.ts',
    // The simulator is one of them for most of a run.
    maxWorkers: 2,
    sequence: { sequencer: FileOrder },
    // Machines may be shared, and have two cores: no test waits for as long, but for what it looks at.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: NODE.map((folder) => `test/${folder}/**/*.test.ts`),
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
          testTimeout: isLong ? 1_200_000 : 120_000,
          hookTimeout: 120_000,
          // The next try of a sync that has failed is among what pages do by themselves.
          expect: { poll: { timeout: 45_000 } },
        },
      },
    ],
  },
})
