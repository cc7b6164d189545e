import type { Page } from '../../../src/client/page/page.ts'
import type { Life } from '../world/life.ts'

/** The locks of a browser, as `navigator.locks` has them. */
export interface Locks {
  /** The locks as a tab sees them. */
  open(life: Life): Page['lock']
}

interface Claim {
  readonly life: Life
  readonly grant: () => void
}

/** Opens the locks of a browser. */
export function openLocks(): Locks {
  const claims = new Map<string, Claim[]>()

  function grantFirst(name: string): void {
    const [first] = claims.get(name) ?? []
    // The tab is told a little later; whoever stands still keeps the others waiting.
    first?.life.after(0.1, first.grant)
  }

  function claim(name: string, life: Life, until: AbortSignal | undefined): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const own: Claim = { life, grant: () => resolve(release) }
      function release(): void {
        const queue = claims.get(name) ?? []
        const isFirst = queue[0] === own
        claims.set(
          name,
          queue.filter((other) => other !== own),
        )
        if (isFirst) grantFirst(name)
      }
      const queue = [...(claims.get(name) ?? []), own]
      claims.set(name, queue)
      life.onEnd(release)
      until?.addEventListener('abort', () => {
        release()
        reject(new Error('Nobody waits for the simulated lock any more.'))
      })
      if (queue.length === 1) grantFirst(name)
    })
  }

  return {
    open: (life) => async (name, work, until) => {
      let begun: ReturnType<typeof work> | undefined
      const begin = () => {
        begun ??= work()
        return begun
      }
      try {
        const release = until?.aborted ? undefined : await claim(name, life, until)
        const done = begin().catch(() => {})
        await (until ? Promise.race([done, aborted(until)]) : done)
        release?.()
      } catch {
        // The wait was given up: the work is done all the same.
      }
      return begin()
    },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
