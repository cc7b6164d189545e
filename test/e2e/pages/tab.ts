/** A page with bins, for `tabs.test.ts` and `sync.test.ts` to work with. */

import type { ClientBins } from '../../../src/client/client-bins.ts'
import { openBins } from '../../../src/client/open-bins.ts'
import type { BinsEvent } from '../../../src/core/event.ts'
import { openTimers, type Timers } from '../../support/clock.ts'
import { tabBins } from './tab-bins.ts'

/** What the page has. */
export interface Tab {
  /** Its bins. */
  readonly state: ClientBins<typeof tabBins>
  /** What they have told. */
  readonly events: BinsEvent[]
  /** Errors that nobody has caught. */
  readonly errors: string[]
  /** Its timers. With `?held` in its address they call back only when the test tells them to. */
  readonly timers: Timers
  /** For each time that the page was shown, whether it came from the back/forward cache. */
  readonly restored: boolean[]
}

declare const window: Window & { tab?: Promise<Tab> }

window.tab = openTab()

async function openTab(): Promise<Tab> {
  const errors: string[] = []
  window.addEventListener('error', ({ message }) => errors.push(message))
  const restored: boolean[] = []
  window.addEventListener('pageshow', ({ persisted }) => restored.push(persisted))
  const events: BinsEvent[] = []
  const timers = openTimers()
  const isHeld = new URLSearchParams(location.search).has('held')
  const state = await openBins(tabBins, {
    onEvent: (event) => events.push(event),
    ...(isHeld ? { timer: timers.start } : {}),
  })
  return { state, events, errors, timers, restored }
}
