export type { ClientBins, Status, SyncProblem, SyncResult } from './client/client-bins.ts'
export { type LinkOutcome, type TakenLink, takeLink } from './client/link.ts'
export { type ClientOptions, openBins } from './client/open-bins.ts'
