export type { Bins } from './core/bins.ts'
export { defineBins } from './core/definition/define-bins.ts'
export type {
  BinData,
  BinName,
  BinOptions,
  BinOwner,
  BinStorage,
  BrowserAccess,
  CookieOptions,
  CookieScope,
  Definition,
  Definitions,
  DefinitionsOptions,
  Merge,
} from './core/definition/definition.ts'
export type { Duration } from './core/definition/duration.ts'
export { BinsError, type BinsErrorCode, type BinsErrorOptions, type Issue } from './core/error.ts'
export type { BinsEvent, OnEvent } from './core/event.ts'
