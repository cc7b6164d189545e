import type { Page } from '../../../src/client/page/page.ts'

/** A page in no browser at all: nothing is kept, nobody is reached, and nothing befalls it. */
export function fakePage(parts: Partial<Page> = {}): Page {
  let ids = 0
  return {
    cookies: {
      find: () => undefined,
      set() {},
      renew() {},
      unkept: [],
      names: () => [],
      visitorTag: () => 'tag',
      userTag: () => null,
      session: () => undefined,
      startSession: () => 'session',
    },
    texts: undefined,
    fetch: () => Promise.reject(new TypeError('Failed to fetch')),
    EventSource: undefined,
    clock: () => 1,
    random: () => 0,
    timer: () => () => {},
    newId: () => `id-${++ids}`,
    isVisible: () => false,
    watch: () => () => {},
    openChannel: () => ({ post() {}, close() {} }),
    lock: (_, work) => work(),
    ...parts,
  }
}
