/** A page with bins, for `tabs.test.ts` to work with. */
import { type ClientBins, openBins } from '../../../src/client/client.ts'
import type { BinsEvent } from '../../../src/core/event.ts'
import { tabBins } from './tab-bins.ts'

/** What the page has. */
export interface Tab {
  /** Its bins. */
  readonly state: ClientBins<typeof tabBins>
  /** What they have told. */
  readonly events: BinsEvent[]
  /** Errors that nobody has caught. */
  readonly errors: string[]
}

declare const window: Window & { tab?: Promise<Tab> }

window.tab = openTab()

async function openTab(): Promise<Tab> {
  const errors: string[] = []
  window.addEventListener('error', ({ message }) => errors.push(message))
  const events: BinsEvent[] = []
  const state = await openBins(tabBins, { onEvent: (event) => events.push(event) })
  return { state, events, errors }
}
