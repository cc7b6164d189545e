export { openBins } from './client/open-bins.ts'
export { defineBins } from './core/definition/define-bins.ts'
export { BinsError } from './core/error.ts'
