// @vitest-environment node
import { describe, expect, it } from 'vitest'
import type { Moment, Page } from '../../../src/client/page/page.ts'
import { openTabs } from '../../../src/client/page/tabs.ts'
import { fakePage } from '../../support/pages/fake-page.ts'

/** A page whose moments come when the test says, and its channel. */
function setUp() {
  const read: string[] = []
  const posted: unknown[] = []
  let tell = (_: Moment): void => {}
  let receive: ((message: unknown) => void) | undefined
  const page: Page = fakePage({
    watch(listener) {
      tell = listener
      return () => {
        tell = () => {}
      }
    },
    openChannel(listener) {
      receive = listener
      return {
        post: (message) => posted.push(message),
        close() {
          receive = undefined
        },
      }
    },
  })
  const tabs = openTabs(page, (changed) => read.push(changed))
  return {
    tabs,
    read,
    posted,
    befall: (moment: Moment) => tell(moment),
    receive: (message: unknown) => receive?.(message),
    isListening: () => receive !== undefined,
  }
}

describe('the other tabs', () => {
  it('are told what has changed, and say so', () => {
    const { tabs, read, posted, receive } = setUp()
    tabs.tell('rows')
    expect(posted).toEqual(['rows'])
    receive('cookies')
    receive('rows')
    expect(read).toEqual(['cookies', 'rows'])
  })

  it('may be of another version, whose messages mean nothing', () => {
    const { read, receive } = setUp()
    for (const message of [undefined, null, 'other', { v: 2 }, ['rows']]) receive(message)
    expect(read).toEqual([])
  })

  it('have changed everything, for all that a page knows that is shown again', () => {
    const { read, befall } = setUp()
    befall('shown')
    expect(read).toEqual(['cookies', 'rows'])
  })

  it('have changed a cookie where the browser says so', () => {
    const { read, befall } = setUp()
    befall('cookies')
    expect(read).toEqual(['cookies'])
  })

  it('do not reach a page in the back/forward cache, which they would throw out', () => {
    const { tabs, posted, befall, isListening } = setUp()
    befall('left')
    expect(isListening()).toBe(false)
    tabs.tell('rows')
    expect(posted).toEqual([])
    befall('shown')
    expect(isListening()).toBe(true)
  })

  it('are neither listened to any more nor told, once they are closed', () => {
    const { tabs, read, posted, befall, isListening } = setUp()
    tabs.close()
    befall('shown')
    expect(isListening()).toBe(false)
    // What is stored later must not fail by it: browsers throw for a channel that is closed.
    tabs.tell('rows')
    expect(posted).toEqual([])
    expect(read).toEqual([])
  })
})
