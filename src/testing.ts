export { type FaultyStore, type FaultyStoreOptions, faultyStore } from './testing/faulty-store.ts'
export { type RunTest, type StoreSuiteOptions, storeSuite } from './testing/store-suite.ts'
