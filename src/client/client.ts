import type { Definitions } from '../core/definition.ts'
import type { BinsOptions, ClientBins } from './client-bins.ts'
import { openPage, type PageOptions } from './page.ts'
import { openPageBins } from './page-bins.ts'
import type { TransportOptions } from './transport.ts'

/** Options of {@link openBins}. */
export type ClientOptions = BinsOptions & PageOptions & TransportOptions

/**
 * Opens the bins of this browser's visitor.
 *
 * @returns As soon as this device's own storage has answered; never waits for the network, unless told to.
 */
export async function openBins<D extends Definitions>(
  definitions: D,
  options: ClientOptions = {},
): Promise<ClientBins<D>> {
  let page = openPage(definitions, options, options.onEvent)
  if (options.transport === 'header') {
    // Pages that use cookies do not load it.
    const { openTransport } = await import('./transport.ts')
    page = await openTransport(page, definitions, options)
  }
  return openPageBins(page, definitions, options)
}
