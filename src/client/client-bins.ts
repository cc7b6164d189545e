import type { Bins } from '../core/bins.ts'
import type { BinName, Definitions } from '../core/definition/definition.ts'
import type { OnEvent } from '../core/event.ts'

/** What becomes of a user's edits that were not sent before the logout: they are given up, or wait for the user. */
export type Logout = 'drop' | 'keep'

/** Options of {@link openBins} that are about the bins. */
export interface BinsOptions {
  /**
   * How long to wait for a first answer of the server, in ms: only when this browser has a visitor and no copy of its
   * bins yet. Default 0: `openBins` does not wait for the network.
   */
  wait?: number
  /**
   * Categories of consent that the visitor has given, for bins with `consent`: all of them. Default: that is not known yet;
   * such bins live as long as the page, and what was kept of them is left as it is, unread.
   */
  consent?: readonly string[]
  /** What `snapshot()` of the server's bins has put into this page. Default: nothing. */
  snapshot?: string
  /**
   * What becomes of edits of a user's bins that were not sent before the logout: they are given up, or wait on this device
   * until the same user is logged in again. All else of the user's is deleted here in any case. Default `'drop'`.
   */
  logout?: Logout
  /** Receives what the owner may want to log or count. */
  onEvent?: OnEvent
}

/** What keeps a sync from succeeding. */
export type SyncProblem = 'offline' | 'unavailable' | 'auth' | 'outdated' | 'cookies-blocked'

/** Where the sync of this page stands. */
export interface Status {
  /** Nothing to do, exchanging, waiting to try again, or paused until something changes. */
  readonly phase: 'idle' | 'syncing' | 'waiting' | 'paused'
  /** Number of edits that the server has not answered for. */
  readonly pending: number
  /** Since when the oldest of them waits, in ms since the Unix epoch; `undefined` if none does. */
  readonly pendingSince: number | undefined
  /** Where device bins and the copies of server bins are kept; `memory`: only as long as the page lives. */
  readonly storage: {
    readonly kind: 'indexeddb' | 'localstorage' | 'memory' | 'none'
    readonly reason?: string
  }
  /** When the last exchange succeeded, in ms since the Unix epoch. */
  readonly lastSyncedAt: number | undefined
  /** What keeps the sync, or the browser's cookies, from working. */
  readonly problem: SyncProblem | 'not-kept' | undefined
}

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

/** The bins of this browser's visitor. */
export interface ClientBins<D extends Definitions = Definitions> extends Bins<D> {
  /**
   * Exchanges edits and changes with the server, now.
   *
   * @returns What became of the edits.
   * @throws {@link BinsError} `SYNC_FAILED`; the edits stay, and will be sent again.
   */
  sync(): Promise<SyncResult>
  /** Whether the server has not answered for the last edit of a bin. */
  pending(name: BinName<D>): boolean
  /** The last edit of a server bin that the server refused, with its reasons. */
  rejected(
    name: BinName<D>,
  ): { readonly data: unknown; readonly issues: ReadonlyArray<{ message: string }> } | undefined
  /** Makes the refused edit once more. */
  retry(name: BinName<D>): Promise<void>
  /** Gives the refused edit up. */
  discard(name: BinName<D>): Promise<void>
  /**
   * Tells which categories of consent the visitor has given: all of them. What this page holds of bins that may be kept now is
   * kept; what was kept of those that may not be is deleted. Tell it in each page, and let the server know of it too.
   *
   * @returns As soon as that is done, as {@link Bins.save} does.
   */
  consent(categories: readonly string[]): Promise<void>
  /**
   * Sends a request of the application to the server, as the sync does: with `headerTransport` it takes along what
   * cookies are elsewhere, and takes in what the answer says of them.
   *
   * @param path Path on the server, or its whole address. With `headerTransport`, redirects are not followed.
   * @throws TypeError What `fetch` throws; with `headerTransport` also for another server's address, and for redirects.
   */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Where the sync stands: the same object until something changes. */
  status(): Status
  /** Calls a listener after each change of {@link ClientBins.status}. Returns what ends that. */
  watch(listener: (status: Status) => void): () => void
  /** Reads cookies and rows again: another tab or a response may have changed them. */
  refresh(): Promise<void>
  /** Ends the sync and lets go of the database. Later edits throw `CLOSED`. */
  close(): Promise<void>
}
