export { openBins } from './client/client.ts'
export { takeLink } from './client/link.ts'
export { defineBins } from './core/define-bins.ts'
export { BinsError } from './core/error.ts'
