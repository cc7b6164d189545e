import type { Definition, Definitions } from '../core/definition.ts'

/** The server bins that a browser may see. */
export function visibleBins({ names, find, others }: Definitions): Definition[] {
  const all = [...names.map(find), ...(others ? [others] : [])]
  return all.filter(({ storage, browser }) => storage === 'server' && browser !== 'none')
}

/** The stores in which these bins are. */
export function storesOf(bins: readonly Definition[]): string[] {
  return [...new Set(bins.map(({ store }) => store))]
}
