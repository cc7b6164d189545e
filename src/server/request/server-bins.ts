import type { Bins } from '../../core/bins.ts'
import type { Definitions } from '../../core/definition/definition.ts'
import type { Duration } from '../../core/definition/duration.ts'
import type { AnyResponse } from '../http/response-headers.ts'

/** Options of {@link ServerBins.link}. */
export interface LinkOptions {
  /** How long the link can be used, up to a day. Default `'10m'`. */
  readonly maxAge?: Duration
}

/** What is known of the visitor of a request. */
export interface Visitor {
  /** The visitor's name in public: opaque, and without any authority. */
  readonly tag: string
  /** When the visitor was first kept, in ms since the Unix epoch. */
  readonly created: number
}

/** The bins of one request's visitor. */
export interface ServerBins<D extends Definitions = Definitions> extends Omit<Bins<D>, 'save'> {
  /** The visitor, if a server bin was opened and the visitor has ever had one. */
  readonly visitor: Visitor | undefined
  /**
   * Gives the visitor another secret in its cookie, as after a change of rights: whoever has copied the present one has
   * nothing of it any more, 30 s after somebody comes with the new one. A login does so by itself. Keeps all bins.
   * Nothing without a visitor.
   *
   * @throws {@link BinsError} `HEAD_SENT`, `STORE_FAILED`, `GONE`.
   */
  rotate(): Promise<void>
  /**
   * Makes a link by which somebody without an account goes on with this visitor on another device, once. The page that it
   * leads to asks its user, and then uses it, with `takeLink` of `breadbin/client`. Makes the visitor, if there is none.
   * There can be 4 at a time, and the oldest one goes; a login ends them, as `clear` and `revoke` do.
   *
   * @param url The page, of this site: relative or absolute, without a fragment, which is where the link's secret goes.
   * @param options.maxAge How long the link can be used, up to a day. Default `'10m'`.
   * @returns The URL of the link: relative if the other one is. Whoever has it can use it: do not log it.
   * @throws {@link BinsError} `HEAD_SENT`, `NO_VISITOR`, `STORE_FAILED`; `GONE` if the user has revoked the visitor.
   * @throws TypeError for a URL of another site, or with a fragment.
   */
  link(url: string | URL, options?: LinkOptions): Promise<string>
  /**
   * What the browser may see of the opened server bins, for `openBins({ snapshot })`: with it in the page, they are there
   * from the first moment, and the first exchange is spared. Saved edits only.
   *
   * @returns JSON without `<`, fit for a script element.
   */
  snapshot(): string
  /**
   * Keeps all edits: first in the store, then as cookies in the response, together with the `Vary` and
   * `Cache-Control` that the reads so far ask for.
   *
   * @param response What is to be sent. May be left out when no edit needs a cookie.
   * @returns The response to send: the same one, or a copy of a `Response` whose headers cannot be changed.
   * @throws {@link BinsError} `CONFLICT`, `GONE`, `TOO_LARGE`, `STORE_FAILED`: nothing was kept in this store.
   * `HEAD_SENT` if a cookie is needed and the head is out; `NO_VISITOR` on a cross-site request.
   * @throws TypeError if an edit needs a cookie and there is no response.
   */
  save(): Promise<void>
  save<R extends AnyResponse>(response: R): Promise<R>
}
