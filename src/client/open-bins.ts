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
 * @throws TypeError In a worker without `transport`: a worker cannot see cookies, and would edit for nobody.
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
  check(
    transport !== undefined || (globalThis as Partial<typeof globalThis>).document !== undefined,
    'openBins',
    'there is no document here, and so no cookies: open the bins in a page, and send a worker what it needs; or pass transport: headerTransport()',
  )
  const page = openPage(definitions, options, onEvent)
  return openPageBins(transport ? await transport(page, definitions, onEvent) : page, definitions, options)
}
