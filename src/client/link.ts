import type { Definitions } from '../core/definition/definition.ts'
import { BinsError } from '../core/error.ts'
import { type LinkRefusal, type LinkRequest, PROTOCOL } from '../core/sync/wire.ts'
import type { ClientBins } from './client-bins.ts'
import { startTimer } from './page/page.ts'

/**
 * What came of a link. `'accepted'`: this device is the visitor of the other one. Otherwise nothing has changed, and the link
 * is as good as before:
 *
 * `'has-data'`: this device has bins of its own; ask its user whether to put both together, and accept with `merge`, or else
 * they keep what they have. `'gone'`: the link has been used, is over, or is no link. `'other-user'`: one of both devices is
 * logged in, and the other is not, or as somebody else. `'too-many-devices'`: the visitor has eight devices already.
 * `'cannot-merge'`: the bins of both do not fit into the limits of one visitor, or the `merge` of a bin fails.
 */
export type LinkOutcome = 'accepted' | LinkRefusal

/** A link with which this page was opened. */
export interface TakenLink {
  /**
   * Makes this device the visitor of the one that the link was made on. Ask the user first: whoever has sent the link sees
   * what is edited here from then on. What this device holds is sent to the server before, and is not shown any more after it,
   * unless it is merged.
   *
   * @param state The bins of this page, over whose `fetch` the link is sent: they show what the other device has by the time
   * that this resolves, if the server can still be reached then.
   * @param options.merge Whether the bins of this device go along, by their rules. Default `false`.
   * @throws {@link BinsError} `SYNC_FAILED`; try again.
   */
  accept(state: Pick<ClientBins, 'sync' | 'fetch'>, options?: { merge?: boolean }): Promise<LinkOutcome>
}

/**
 * Takes the link that `link()` of the server's bins has made out of the address of this page, so that it is in no bookmark,
 * and nobody can read it there. Sends nothing.
 *
 * @returns `undefined` if the page was not opened with one.
 */
export function takeLink(definitions: Definitions): TakenLink | undefined {
  const [address = '', fragment = ''] = location.href.split('#')
  const start = `${definitions.cookie.prefix}-link=`
  if (!fragment.startsWith(start)) return undefined
  history.replaceState(history.state, '', address)
  const token = fragment.slice(start.length)
  let isAccepted = false
  let last: Promise<unknown> = Promise.resolve()

  async function accept(
    { sync, fetch }: Pick<ClientBins, 'sync' | 'fetch'>,
    merge: boolean,
  ): Promise<LinkOutcome> {
    if (isAccepted) return 'accepted'
    // What was edited here is this device's own, and not for the other visitor.
    await sync()
    const refusal = await send(fetch, { v: PROTOCOL, token, ...(merge ? { merge } : {}) })
    if (refusal) return refusal
    isAccepted = true
    // The next exchange brings what this one does not.
    await sync().catch(() => {})
    return 'accepted'
  }

  async function send(fetch: ClientBins['fetch'], body: LinkRequest): Promise<LinkRefusal | undefined> {
    // Pages that sync have loaded it already.
    const endpoint = await import('./sync/endpoint.ts')
    try {
      const { send } = endpoint.openEndpoint({ fetch, timer: startTimer }, definitions.path)
      const reply = await send('link', body)
      const error = endpoint.isRecord(reply.body) ? reply.body.error : undefined
      // The server gives these reasons and no others.
      if (error === 'gone' || (reply.status === 409 && error)) return error as LinkRefusal
      endpoint.accept(reply)
      return undefined
    } catch (cause) {
      throw new BinsError('SYNC_FAILED', 'The link could not be used; try again.', { cause })
    }
  }

  return {
    accept(state, { merge = false } = {}) {
      // Whoever clicks twice has used it once.
      const turn = last.then(() => accept(state, merge))
      last = turn.catch(() => {})
      return turn
    },
  }
}
