import type { Store } from '../stores/store.ts'
import type { StoreCases, StoreLimits } from './store-suite/case.ts'
import { expiryCases } from './store-suite/expiry.ts'
import { historyCases } from './store-suite/history.ts'
import { keyCases } from './store-suite/keys.ts'
import { powerCases } from './store-suite/powers.ts'
import { raceCases } from './store-suite/races.ts'
import { textCases } from './store-suite/texts.ts'
import { writeCases } from './store-suite/writes.ts'

/** Options of {@link storeSuite}: how to get a store, and what the system behind it cannot help. */
export interface StoreSuiteOptions extends Partial<StoreLimits> {
  /** Opens an empty store; called once for each case. The suite closes it. */
  readonly open: () => Store | Promise<Store>
}

/** A test runner's function: `test` of `node:test`, `it` of Vitest, Jest or Mocha. */
export type RunTest = (name: string, run: () => Promise<void>) => unknown

const suites: readonly StoreCases[] = [
  textCases,
  writeCases,
  expiryCases,
  raceCases,
  historyCases,
  keyCases,
  powerCases,
]

/**
 * Checks that a store keeps the contract of {@link Store}: every store of Breadbin passes it, and so must yours.
 *
 * ```ts
 * describe('myStore', () => storeSuite(it, { open: () => myStore(connect()) }))
 * ```
 *
 * All times are passed in, around 2035; nothing waits. Several processes on one store are not part of it.
 */
export function storeSuite(test: RunTest, options: StoreSuiteOptions): void {
  const { open, expiryStepMs = 1, sweepDelayMs = 0, sweeps = true, maxTextBytes = Infinity } = options
  for (const cases of suites) {
    for (const [name, check] of Object.entries(cases)) {
      test(name, async () => {
        const store = await open()
        try {
          await check(store, { expiryStepMs, sweepDelayMs, sweeps, maxTextBytes })
        } finally {
          await store.close?.()
        }
      })
    }
  }
}
