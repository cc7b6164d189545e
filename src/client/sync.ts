import type { Outcome } from '../core/absorb.ts'
import { BinsError } from '../core/error.ts'
import { type OnEvent, report } from '../core/event.ts'
import { MAX_OPS, MAX_SYNC_BYTES } from '../core/limits.ts'
import { PROTOCOL, type SyncAnswer, type SyncRequest } from '../core/wire.ts'
import {
  accept,
  type EndpointOptions,
  isRecord,
  openEndpoint,
  Refusal,
  type Reply,
  type SyncProblem,
} from './endpoint.ts'
import type { ClientReplica, Offer } from './replica.ts'

/** What became of edits in a sync: names of bins. */
export interface SyncResult {
  /** Kept as they were made. */
  accepted: string[]
  /** Merged with what others had made of the bin, to be sent again. */
  merged: string[]
  /** Given up for a later edit of somebody else. */
  superseded: string[]
  /** Refused; kept as rejected drafts. */
  rejected: string[]
}

/** The exchange of edits and changes with the server. */
export interface Sync {
  /**
   * Exchanges now, whatever the schedule says.
   *
   * @throws {@link BinsError} `SYNC_FAILED`; the edits stay, and will be sent again.
   */
  now(): Promise<SyncResult>
  /** Exchanges soon. */
  soon(): void
  /** Has the server erase the visitor, before anything else is sent; as soon as it can be reached. */
  clear(): Promise<void>
  /** Where the sync stands. */
  readonly phase: 'idle' | 'syncing' | 'waiting' | 'paused'
  /** What kept the last exchange from succeeding. */
  readonly problem: SyncProblem | undefined
  /** When the last exchange succeeded, in ms since the Unix epoch. */
  readonly lastSyncedAt: number | undefined
  /** Ends the schedule. */
  close(): void
}

/** Circumstances of {@link openSync}. */
export interface SyncOptions extends EndpointOptions {
  /** The replica to sync. */
  readonly replica: ClientReplica
  /** Stores to pull from, in which the browser may see bins. */
  readonly stores: readonly string[]
  /** Tag of the visitor that the cookies speak of; `null` = none. */
  readonly visitorTag: () => string | null
  /** The record of a `clear` that the server has not heard of. */
  readonly clearance: Clearance
  /** The present, in ms since the Unix epoch. */
  readonly clock: () => number
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  /** Receives what an owner may want to log. */
  readonly onEvent: OnEvent | undefined
  /** Told after each change of phase or problem. */
  readonly onStatus: () => void
}

/** What this device remembers of a `clear`: whose bins are gone, and whether the server knows. */
export interface Clearance {
  /** Tag that must not be used again; `null` = nothing was cleared. */
  readonly tag: string | null
  /** Whether the server has not been told yet. */
  readonly isPending: boolean
  /** Writes it down. */
  set(tag: string, isPending: boolean): Promise<void>
}

/** How long a burst of edits is collected, in ms. */
const SOON_MS = 50
/** The first delay after a failure, in ms; it doubles each time. */
const FIRST_RETRY_MS = 1_000
/** The longest delay, in ms. */
const LAST_RETRY_MS = 60_000
/** How often one sync may have to start over, because its owner has changed or more is to be sent. */
const MAX_ROUNDS = 20

/** Opens the sync of a replica. Sends nothing before it is asked. */
export function openSync(options: SyncOptions): Sync {
  const { replica, stores, visitorTag, clearance, clock, random, timer, onEvent, onStatus } = options
  const endpoint = openEndpoint(options)
  let phase: Sync['phase'] = 'idle'
  let problem: SyncProblem | undefined
  let lastSyncedAt: number | undefined
  let failures = 0
  let running: Promise<SyncResult> | undefined
  let isWanted = false
  let isClosed = false
  let cancel = () => {}

  function moveTo(next: Sync['phase'], trouble = problem): void {
    phase = next
    problem = trouble
    onStatus()
  }

  function schedule(ms: number): void {
    cancel()
    if (!isClosed) cancel = timer(() => void run().catch(() => {}), ms)
  }

  /** One exchange at a time; whoever asks meanwhile gets one more, with what was edited since. */
  function run(): Promise<SyncResult> {
    if (running) {
      isWanted = true
      return running
    }
    cancel()
    moveTo('syncing')
    running = exchangeAll()
      .finally(() => {
        running = undefined
      })
      .then(succeeded, failed)
    return running
  }

  function succeeded(result: SyncResult): SyncResult {
    failures = 0
    lastSyncedAt = clock()
    problem = undefined
    moveTo('idle')
    if (isWanted) schedule(SOON_MS)
    isWanted = false
    return result
  }

  function failed(cause: unknown): never {
    const refusal = cause instanceof Refusal ? cause : new Refusal('offline', { cause })
    report(onEvent, { type: 'sync-failed', cause: refusal.cause ?? refusal })
    // What was asked for meanwhile waits as long as the rest.
    isWanted = false
    cancel()
    // Trying again by itself changes nothing about who is logged in, or what the browser allows.
    const isPaused = refusal.problem === 'auth' || refusal.problem === 'cookies-blocked'
    if (!isPaused) {
      // Full jitter: after an outage, clients must not come back all at once.
      const ceiling = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS)
      failures += 1
      schedule(refusal.retryMs ?? random() * ceiling)
    }
    moveTo(isPaused ? 'paused' : 'waiting', refusal.problem)
    throw new BinsError(
      'SYNC_FAILED',
      `The bins could not be synced (${refusal.problem}); the edits are kept.`,
      { cause: refusal },
    )
  }

  async function exchangeAll(): Promise<SyncResult> {
    const result: SyncResult = { accepted: [], merged: [], superseded: [], rejected: [] }
    let mints = 0
    let strangers = 0
    let maxOps = MAX_OPS
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      await replica.flush()
      if (clearance.isPending) await sendClear()
      await followOwner()
      const offered = await replica.offer({ maxOps, maxBytes: MAX_SYNC_BYTES * 0.75 })
      if (replica.tag === '' && offered.ops.size === 0) return result
      const reply = await endpoint.send('sync', toRequest(offered))
      // The visitor was cleared, or another one took its place, while the answer was on its way.
      if (replica.tag !== offered.tag || isCleared(offered.tag)) continue
      if (reply.status === 409) {
        if (await leaveOwner(reply)) strangers += 1
        // Once or twice: responses to several requests without a cookie each set another one.
        if (strangers > 2) throw new Refusal('cookies-blocked')
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
        if (mints > 1 && visitorTag() === null) throw new Refusal('cookies-blocked')
        continue
      }
      const isWaiting = await absorbAll(answer, offered, result)
      if (isWaiting) throw new Refusal('outdated')
      if (replica.pending().count === 0) return result
    }
    throw new Refusal('unavailable')
  }

  /** Takes in an answer, part by part; tells whether the server cannot take some edits yet. */
  async function absorbAll(answer: SyncAnswer, offered: Offer, result: SyncResult): Promise<boolean> {
    const erased = answer.parts.find((part) => part.erased !== undefined)?.erased
    if (erased !== undefined) {
      await abandon(clock() - erased)
      return false
    }
    let isWaiting = false
    for (const part of answer.parts) {
      for (const { bin, outcome } of await replica.absorb(part, offered)) {
        if (outcome === 'waiting') isWaiting = true
        else note(result, bin, outcome)
        if (outcome === 'rejected') report(onEvent, { type: 'rejected', bin })
      }
    }
    return isWaiting
  }

  /** Another response may have made the visitor, or a new one. */
  async function followOwner(): Promise<void> {
    const present = visitorTag()
    const tag = present === null || isCleared(present) ? '' : present
    if (tag !== replica.tag) await replica.switchTo(tag)
  }

  function isCleared(tag: string): boolean {
    return tag !== '' && tag === clearance.tag
  }

  /**
   * The server says that we are somebody else than we said: it has forgotten the visitor, or the cookie is new. Tells
   * whether it is nobody that our cookies speak of.
   */
  async function leaveOwner({ body }: Reply): Promise<boolean> {
    const tag = isRecord(body) ? body.tag : undefined
    if (tag === null) await abandon(Number.NEGATIVE_INFINITY)
    return tag !== null && tag !== visitorTag()
  }

  /** The visitor is gone for good; edits after the given time are those of a new one. */
  async function abandon(before: number): Promise<void> {
    await clearance.set(replica.tag, false)
    await replica.leave(before)
  }

  async function sendClear(): Promise<void> {
    // Whoever the cookies speak of meanwhile has not asked for it.
    if (visitorTag() === clearance.tag) accept(await endpoint.send('clear', { v: PROTOCOL }))
    await clearance.set(clearance.tag ?? '', false)
  }

  function toRequest({ client, ops, cursors }: Offer): SyncRequest {
    const tag = replica.tag === '' ? null : replica.tag
    return {
      v: PROTOCOL,
      client,
      parts: stores.map((store) => ({
        owner: 'visitor',
        store,
        tag,
        cursor: cursors[store] ?? null,
        ops: ops.get(store) ?? [],
      })),
    }
  }

  /** After the exchange that is running, one with what was edited since. */
  async function now(): Promise<SyncResult> {
    if (running) await running.catch(() => {})
    return run()
  }

  return {
    now,
    soon() {
      if (phase !== 'waiting' || failures === 0) schedule(SOON_MS)
    },
    async clear() {
      const present = visitorTag()
      const cleared = replica.clear()
      await clearance.set(present ?? replica.tag, present !== null)
      await cleared
      await replica.leave(Number.NEGATIVE_INFINITY)
      if (present !== null) await now().catch(() => {})
    },
    get phase() {
      return phase
    },
    get problem() {
      return problem
    },
    get lastSyncedAt() {
      return lastSyncedAt
    },
    close() {
      isClosed = true
      cancel()
    },
  }
}

function note(result: SyncResult, bin: string, outcome: Exclude<Outcome, 'waiting'>): void {
  if (!result[outcome].includes(bin)) result[outcome].push(bin)
}
