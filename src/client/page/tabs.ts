import type { Page } from './page.ts'

/** What a page shares with the other pages of this browser. */
export type Shared = 'cookies' | 'rows'

/** The other pages of this browser. */
export interface Tabs {
  /** Tells them that something has changed. */
  tell(changed: Shared): void
  /** Listens no more. */
  close(): void
}

/**
 * Follows the other pages of this browser. Messages only say what to read again, so that none can be wrong, late or out
 * of turn; one that is lost is made up for when the page is shown, and by the next sync.
 */
export function openTabs(page: Page, reread: (changed: Shared) => void): Tabs {
  const onMessage = (message: unknown) => {
    if (message === 'cookies' || message === 'rows') reread(message)
  }
  let channel: ReturnType<Page['openChannel']> | undefined = page.openChannel(onMessage)
  const stop = page.watch((moment) => {
    if (moment === 'left') {
      // A message would throw the page out of the back/forward cache.
      channel?.close()
      channel = undefined
    } else if (moment === 'shown') {
      channel ??= page.openChannel(onMessage)
      reread('cookies')
      reread('rows')
    } else if (moment === 'cookies') {
      reread('cookies')
    }
  })
  return {
    tell: (changed) => channel?.post(changed),
    close() {
      stop()
      channel?.close()
      channel = undefined
    },
  }
}
