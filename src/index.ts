export type { Bins } from './core/bins.ts'
export {
  type BinData,
  type BinName,
  type BinOptions,
  type BinOwner,
  type BinStorage,
  type BrowserAccess,
  type CookieOptions,
  type CookieScope,
  type Definition,
  type Definitions,
  type DefinitionsOptions,
  defineBins,
  type Merge,
} from './core/definition.ts'
export type { Duration } from './core/duration.ts'
export { BinsError, type BinsErrorCode, type BinsErrorOptions, type Issue } from './core/error.ts'
export type { BinsEvent, OnEvent } from './core/event.ts'
