import type { RunTest } from '../../src/testing/store-suite.ts'
import { type Clock, openClock } from '../support/clock.ts'
import type { BinsCase, BinsCases, Place, Visit } from './bins/case.ts'
import { changeCases } from './bins/changes.ts'
import { dataCases } from './bins/data.ts'
import { defaultCases } from './bins/defaults.ts'
import { lifetimeCases } from './bins/lifetime.ts'
import { limitCases, readOnlyCases } from './bins/limits.ts'
import { nameCases } from './bins/names.ts'

export type { AgainOptions, BinsCase, Place, Visit } from './bins/case.ts'

/** Options of {@link binsSuite}. */
export interface BinsSuiteOptions {
  /** Where the bins are to be kept. */
  readonly place: Place
  /** Whether this side may not write there. Default `false`. */
  readonly readOnly?: boolean
  /**
   * Opens the bins of somebody who has never been here. The `clock` is the present of all sides. Called once for each
   * case; what was opened is closed afterwards.
   */
  readonly open: (binsCase: BinsCase, clock: Clock) => Promise<Visit & { close(): Promise<void> }>
}

const suites: readonly BinsCases[] = [
  dataCases,
  defaultCases,
  nameCases,
  lifetimeCases,
  changeCases,
  limitCases,
]

/** What must be true of bins in a place, by name. */
export function binsCases({
  place,
  readOnly = false,
}: Omit<BinsSuiteOptions, 'open'>): Map<string, BinsCase> {
  const cases = (readOnly ? [readOnlyCases] : suites).flatMap((suite) => Object.entries(suite(place)))
  return new Map(cases.filter(([, { needsLasting = false }]) => !needsLasting || place.lasts !== false))
}

/** Checks that bins keep the contract of {@link Bins}, in one place of one side. */
export function binsSuite(test: RunTest, { open, ...options }: BinsSuiteOptions): void {
  for (const [name, binsCase] of binsCases(options)) test(name, () => runCase(binsCase, open))
}

/** Checks one point of the contract. */
export async function runCase(binsCase: BinsCase, open: BinsSuiteOptions['open']): Promise<void> {
  const clock = openClock()
  const { close, ...visit } = await open(binsCase, clock)
  try {
    await binsCase.run(visit, clock)
  } finally {
    await close()
  }
}
