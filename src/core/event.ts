/**
 * What the owner of an application may want to log or count. No event carries data, a token or a secret.
 */
export type BinsEvent =
  /** What is kept in a bin was not used: its default was read instead. */
  | {
      readonly type: 'unreadable'
      readonly bin: string
      readonly reason: 'tampered' | 'expired' | 'unreadable' | 'invalid' | 'outdated'
      readonly cause?: unknown
    }
  /** A request carried several cookies of one name. */
  | { readonly type: 'duplicate-cookie'; readonly name: string }
  /** The browser did not keep a cookie, or its database did not keep a row. */
  | { readonly type: 'not-kept'; readonly bin: string; readonly cause?: unknown }
  /** A token was presented that belongs to nobody. */
  | { readonly type: 'unknown-visitor' }
  /** A token was presented that another one has replaced: a very late request, or somebody who has copied it. */
  | { readonly type: 'retired-token' }
  /** A link was presented that opens nothing: it was used, has expired, or somebody has guessed. */
  | { readonly type: 'unknown-link' }
  /** A record in the store cannot be read; it is left as it is. */
  | { readonly type: 'unreadable-record'; readonly cause: unknown }
  /** A response went out before its edits were saved. */
  | { readonly type: 'unsaved'; readonly bins: readonly string[] }
  /** The store failed or did not answer. */
  | { readonly type: 'store-failed'; readonly cause: unknown }
  /** A sync was refused or did not get through; it will be tried again. */
  | { readonly type: 'sync-failed'; readonly cause: unknown }
  /** The bus between the processes of the site failed: their pages hear of changes later. */
  | { readonly type: 'bus-failed'; readonly cause: unknown }
  /** A user is not logged in any more, and edits that had not been sent were given up. */
  | { readonly type: 'dropped' }
  /** The server refused an edit; it is kept as a rejected draft. */
  | { readonly type: 'rejected'; readonly bin: string }

/** Receives events; what it throws is ignored. */
export type OnEvent = (event: BinsEvent) => void

/** Calls a listener that must not be able to stop us. */
export function report(onEvent: OnEvent | undefined, event: BinsEvent): void {
  try {
    onEvent?.(event)
  } catch {
    // A logger's failure is its owner's.
  }
}
