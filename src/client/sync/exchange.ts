import { type OnEvent, report } from '../../core/event.ts'
import { MAX_OPS, MAX_SYNC_BYTES } from '../../core/limits.ts'
import type { Outcome } from '../../core/sync/apply-answer.ts'
import { PROTOCOL, type SyncAnswer, type SyncRequest } from '../../core/sync/wire.ts'
import type { SyncResult } from '../client-bins.ts'
import type { Page } from '../page/page.ts'
import type { Clearance } from '../replica/clear-marker.ts'
import type { Offer } from '../replica/offer.ts'
import type { ClientReplica } from '../replica/replica.ts'
import { accept, isRecord, openEndpoint, Refusal, type Reply } from './endpoint.ts'

/** The exchange of edits and changes with the server. */
export interface Exchange {
  /**
   * Exchanges until nothing is left to be sent.
   *
   * @throws Refusal; the edits stay.
   */
  run(options: RunOptions): Promise<void>
  /**
   * Becomes the replica of the visitor that the cookies speak of: any response may have made one. Tells whether it is
   * the replica of the present owner: a user's stays that user's.
   */
  followOwner(): Promise<boolean>
  /** Sends what one last request of a page can take, while the page goes away. */
  leave(): void
}

/** How to exchange. */
export interface RunOptions {
  /** Whether to ask for changes even if there is nothing to be sent. */
  readonly mustPull: boolean
  /** Told what became of the edits of a bin. */
  readonly note: (bin: string, outcome: keyof SyncResult) => void
}

/** Circumstances of {@link openExchange}. */
export interface ExchangeOptions {
  /** The page. */
  readonly page: Page
  /** Path of the sync endpoint. */
  readonly path: string
  /** Whose replica it is. */
  readonly owner: AnyOwner
  /** The replica to sync. */
  readonly replica: ClientReplica
  /** Stores to pull from, in which the browser may see bins. */
  readonly stores: readonly string[]
  /** The record of a `clear` that the server has not heard of. */
  readonly clearance: Clearance
  /** Receives what an owner may want to log. */
  readonly onEvent: OnEvent | undefined
}

/** The visitor, whoever that is at present; or the user who is logged in. */
export type AnyOwner = 'visitor' | 'user'

/** How often one exchange may have to start over, because its owner has changed or more is to be sent. */
const MAX_ROUNDS = 20
/** What ops of one sync may have, in bytes: all that a record can hold, as base64url. The rest is for what is around them. */
const MAX_OPS_BYTES = MAX_SYNC_BYTES * 0.75
/** What ops of a last request may have, in bytes: browsers send 64 KiB for a page that is gone. */
const LAST_OPS_BYTES = 56 * 1024

/** Opens the exchange with the server. Sends nothing before it is asked. */
export function openExchange({
  page,
  path,
  owner,
  replica,
  stores,
  clearance,
  onEvent,
}: ExchangeOptions): Exchange {
  const { clock } = page
  const presentTag = owner === 'user' ? page.cookies.userTag : page.cookies.visitorTag
  const endpoint = openEndpoint(page, path)
  /** Numbers of the ops that were sent when the page was left last. */
  let leftWith = ''

  async function run({ mustPull, note }: RunOptions): Promise<void> {
    let mints = 0
    let strangers = 0
    let maxOps = MAX_OPS
    // Another tab may have cleared.
    await clearance.reload()
    const present = presentTag()
    if (mustPull && present !== null && isCleared(present)) await doubtClearance(present)
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      await replica.flush()
      if (clearance.isPending) await sendClear()
      if (!(await followOwner())) return
      const offered = await replica.offer({ maxOps, maxBytes: MAX_OPS_BYTES })
      if (offered.ops.size === 0 && (replica.tag === '' || (round === 0 && !mustPull))) return
      const reply = await endpoint.send('sync', toRequest(offered))
      // The visitor was cleared, or another one took its place, while the answer was on its way.
      if (replica.tag !== offered.tag || isCleared(offered.tag)) continue
      if (reply.status === 409) {
        if (await leaveOwner(reply)) strangers += 1
        // Once or twice: responses to several requests without a cookie each set another one.
        if (strangers > 2) throw new Refusal(owner === 'user' ? 'auth' : 'cookies-blocked')
        continue
      }
      if (reply.status === 413 && maxOps > 1) {
        maxOps = Math.ceil(maxOps / 2)
        continue
      }
      // The body speaks our protocol.
      const answer = accept(reply) as unknown as SyncAnswer
      if (answer.minted) {
        mints += 1
        if (mints > 1 && page.cookies.visitorTag() === null) throw new Refusal('cookies-blocked')
        continue
      }
      const outcomes = await absorbAll(answer, offered, note)
      if (outcomes.has('outdated')) throw new Refusal('outdated')
      if (replica.pending().count === 0 || outcomes.has('elsewhere')) return
    }
    throw new Refusal('unavailable')
  }

  /** Takes in an answer, part by part. */
  async function absorbAll(
    answer: SyncAnswer,
    offered: Offer,
    note: RunOptions['note'],
  ): Promise<Set<Outcome>> {
    const outcomes = new Set<Outcome>()
    const erased = answer.parts.find((part) => part.erased !== undefined)?.erased
    if (erased !== undefined) {
      await abandon(clock() - erased, 'done')
      return outcomes
    }
    for (const part of answer.parts) {
      for (const { bin, outcome } of await replica.absorb(part, offered)) {
        outcomes.add(outcome)
        if (outcome !== 'outdated' && outcome !== 'elsewhere') note(bin, outcome)
        if (outcome === 'rejected') report(onEvent, { type: 'rejected', bin })
      }
    }
    return outcomes
  }

  async function followOwner(): Promise<boolean> {
    const present = presentTag()
    const tag = present === null || isCleared(present) ? '' : present
    if (tag === replica.tag || owner === 'user') return tag === replica.tag
    // A visitor of whom nothing is left on the server loses the cookie; and what waits to be sent must not get lost.
    if (tag === '') await replica.leave(Number.NEGATIVE_INFINITY)
    else await replica.switchTo(tag)
    return true
  }

  function isCleared(tag: string): boolean {
    return tag !== '' && tag === clearance.tag
  }

  /**
   * The server says that we are somebody else than we said: it has forgotten the visitor, or the cookie is new. Tells
   * whether it is nobody that our cookies speak of.
   */
  async function leaveOwner({ body }: Reply): Promise<boolean> {
    // The cookies have come with the answer: if they speak of the same user, it is of no use to ask again.
    if (owner === 'user') return presentTag() === replica.tag
    const tag = isRecord(body) ? body.tag : undefined
    if (tag === null) await abandon(Number.NEGATIVE_INFINITY, 'forgotten')
    if (typeof tag === 'string' && isCleared(tag)) await doubtClearance(tag)
    return tag !== null && tag !== presentTag()
  }

  /**
   * The cookie of a visitor that is gone is still there, or again: a late answer has brought it, the server was behind
   * when it did not know it, or is restored since it was cleared.
   */
  async function doubtClearance(tag: string): Promise<void> {
    await (clearance.isForgotten ? clearance.set(null, 'done') : clearance.set(tag, 'asked'))
  }

  /** The visitor is gone for good; edits after the given time are those of a new one. */
  async function abandon(before: number, why: 'done' | 'forgotten'): Promise<void> {
    await clearance.set(replica.tag, why)
    await replica.leave(before)
  }

  async function sendClear(): Promise<void> {
    // Whoever the cookies speak of meanwhile has not asked for it.
    if (presentTag() === clearance.tag) accept(await endpoint.send('clear', { v: PROTOCOL }))
    await clearance.set(clearance.tag, 'done')
  }

  function toRequest({ client, ops, cursors }: Offer): SyncRequest {
    const tag = replica.tag === '' ? null : replica.tag
    return {
      v: PROTOCOL,
      client,
      parts: stores.map((store) => ({
        owner,
        store,
        tag,
        cursor: cursors[store] ?? null,
        ops: ops.get(store) ?? [],
      })),
    }
  }

  return {
    run,
    followOwner,
    leave() {
      // The next page has to clear before anything else.
      if (clearance.isPending) return
      const offered = replica.lastOffer({ maxOps: MAX_OPS, maxBytes: LAST_OPS_BYTES })
      // Without a visitor nothing would be applied; and another one has to be followed first.
      if (!offered || offered.tag === '' || offered.tag !== presentTag()) return
      // A page is left in several steps, and may edit between them.
      const numbers = [...offered.ops.values()].flatMap((ops) => ops.map(({ n }) => n)).join()
      if (numbers !== leftWith) endpoint.leave('sync', toRequest(offered))
      leftWith = numbers
    },
  }
}
