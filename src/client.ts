export { type ClientBins, type ClientOptions, openBins, type Status } from './client/client.ts'
export type { SyncProblem } from './client/endpoint.ts'
export type { SyncResult } from './client/exchange.ts'
export { type LinkOutcome, type TakenLink, takeLink } from './client/link.ts'
