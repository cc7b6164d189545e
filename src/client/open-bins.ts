import { check } from '../core/check.ts'
import type { Definitions } from '../core/definition/definition.ts'
import type { BinsOptions, ClientBins } from './client-bins.ts'
import { openPage, type PageOptions } from './page/page.ts'
import { openPageBins } from './page-bins.ts'

/** Options of {@link openBins}. */
export type ClientOptions = BinsOptions & PageOptions

/**
 * Opens the bins of this browser's visitor.
 *
 * @returns As soon as this device's own storage has answered; never waits for the network, unless told to.
 */
export async function openBins<D extends Definitions>(
  definitions: D,
  options: ClientOptions = {},
): Promise<ClientBins<D>> {
  const { transport, onEvent } = options
  check(
    transport === undefined || typeof transport === 'function',
    'transport',
    'pass headerTransport() of breadbin/header',
  )
  const page = openPage(definitions, options, onEvent)
  return openPageBins(transport ? await transport(page, definitions, onEvent) : page, definitions, options)
}
