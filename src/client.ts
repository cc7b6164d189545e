export { type ClientBins, type ClientOptions, openBins, type Status } from './client/client.ts'
export type { SyncProblem, SyncResult } from './client/sync.ts'
