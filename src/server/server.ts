import { check, checkKeys } from '../core/check.ts'
import type { BinName, Definitions } from '../core/definition/definition.ts'
import { toSeconds } from '../core/definition/duration.ts'
import { openCookieValues } from './cookies/cookie-codec.ts'
import { answerEndpoint } from './frameworks/endpoint.ts'
import { createFastifyPlugin, type FastifyPlugin } from './frameworks/fastify.ts'
import {
  type BinsMiddleware,
  createMiddleware,
  type MiddlewareOptions,
  openHeld,
} from './frameworks/middleware.ts'
import { type AnyRequest, readHead } from './http/request-head.ts'
import { openMints } from './identity/visitor-limit.ts'
import { openRunning } from './in-flight.ts'
import { openLive } from './live/live.ts'
import {
  checkBins,
  checkServerOptions,
  openKeys,
  openStores,
  type ServerOptions,
  toMaxStreams,
  toOnStoreDown,
  toSite,
} from './options.ts'
import { openUsers, type Users } from './owner/users.ts'
import type { ServerParts } from './parts.ts'
import { openRandom } from './random.ts'
import { openReadings } from './records/decoded-cache.ts'
import { openRecords } from './records/records.ts'
import { openSweeper } from './records/sweeper.ts'
import { type OpenRequest, openRequest } from './request/request.ts'
import type { ServerBins } from './request/server-bins.ts'
import { startTimer } from './timer.ts'

/** The server side of an application's bins. */
export interface BinsServer<D extends Definitions = Definitions> extends Users {
  /**
   * Opens the bins of a request; the same ones however often.
   *
   * @param names Bins that will be used: a record is read only if one of them lives in it. Default: all.
   * @throws {@link BinsError} `STORE_FAILED`, `STORE_TIMEOUT`, unless `onStoreDown` says otherwise.
   */
  open(request: AnyRequest, names?: ReadonlyArray<BinName<D>>): Promise<ServerBins<D>>
  /**
   * Opens the bins of a request, runs a handler, and saves into its response. A response of status 500 or more saves
   * nothing.
   */
  handle(
    request: Request,
    handler: (state: ServerBins<D>) => Response | Promise<Response>,
    options?: { bins?: ReadonlyArray<BinName<D>> },
  ): Promise<Response>
  /**
   * Answers requests to the sync endpoint, below the definitions' `path`; 404 elsewhere. The answer to `{path}/events`
   * is a stream, or takes up to 25 s.
   */
  fetch(request: Request): Promise<Response>
  /** Makes middleware for node:http, connect and express: `req.bins(names)` opens, and responses save. */
  middleware(options?: MiddlewareOptions): BinsMiddleware
  /**
   * Makes a plugin for fastify 5, for the whole app it is registered in: what is opened with `open(request.raw)` is saved
   * before the reply goes out, and the sync endpoint is answered. A save that fails is an error with `statusCode` 503.
   */
  fastify(): FastifyPlugin
  /**
   * Deletes expired records from all stores, and says how many: at most `limit` of each store, 1,000 by default. Nobody
   * needs to: after every 50 writes or so, a server deletes up to 100 by itself. Of files and in memory, it looks at ten
   * times `limit` records, and goes on behind them the next time.
   */
  sweep(options?: { limit?: number }): Promise<number>
  /**
   * Ends all streams, waits for the requests that `handle` and `fetch` are answering, and ends what the stores and the bus
   * opened themselves.
   */
  close(): Promise<void>
}

/** Handlers that a request is in, and whether the outermost one has handed its response over. */
type Handling = { handlers: number; isSent: boolean }

/**
 * Serves an application's bins.
 *
 * @throws TypeError for a configuration that cannot work, naming the option.
 */
export function serveBins<D extends Definitions>(definitions: D, options: ServerOptions = {}): BinsServer<D> {
  checkServerOptions(definitions, options)
  const { clock = Date.now, random = openRandom(), timer = startTimer, onEvent } = options
  const { casMs = 5_000, storeMs = 5_000, bus } = options
  const fraction = () => random(4).readUInt32BE() / 2 ** 32
  const all = [
    ...definitions.names.map(definitions.find),
    ...(definitions.others ? [definitions.others] : []),
  ]
  const stores = openStores(all, options)
  const sweepers = new Map([...stores].map(([name, store]) => [name, openSweeper(store, { clock, onEvent })]))
  const recordsByStore = new Map(
    [...stores].map(([name, store]) => [
      name,
      openRecords(store, {
        clock,
        casMs,
        storeMs,
        onEvent,
        random: fraction,
        timer: options.timer,
        onWrite(key, version, record) {
          live.written(name, key, version, record)
          sweepers.get(name)?.written()
        },
      }),
    ]),
  )
  const parts: ServerParts = {
    definitions,
    all,
    cookieValues: openCookieValues(definitions, openKeys(all, { secrets: options.secrets, random })),
    readings: openReadings(),
    stores: [...new Set(['default', ...all.map(({ store }) => store)])],
    userStores: [...new Set(all.filter(({ scope }) => scope === 'user').map(({ store }) => store))],
    showsUserBins: all.some(({ scope, browser }) => scope === 'user' && browser !== 'none'),
    login: { user: options.user, label: options.label },
    needsUpkeep: options.consent !== undefined || all.some(({ renew }) => renew === 'read'),
    mints: openMints(options, clock),
    visitorAge:
      options.visitorAge === undefined ? Infinity : toSeconds(options.visitorAge, 'visitorAge') * 1_000,
    records(store) {
      const records = recordsByStore.get(store)
      if (records) return records
      throw new TypeError(`There is no store ${JSON.stringify(store)}; name it in serveBins({ stores }).`)
    },
    site: toSite(options),
    consent: options.consent,
    onStoreDown: toOnStoreDown(options.onStoreDown),
    clock,
    random,
    fraction,
    timer,
    onEvent,
  }
  checkBins(all, stores, options)
  const running = openRunning()
  const live = openLive(parts, { bus, maxStreams: toMaxStreams(options.maxStreams) })
  /** Where a request keeps its bins: a WeakMap would cost more in garbage collection than all the rest. */
  const opened = Symbol('bins')
  /** Where a request notes that its response will be saved into. */
  const handling = Symbol('handling')

  function stateOf(request: AnyRequest & { [opened]?: OpenRequest; [handling]?: Handling }): OpenRequest {
    const known = request[opened]
    if (known) return known
    // Those of fastify and Hono are their own.
    check(!('raw' in request), 'open', 'pass request.raw')
    const head = readHead(request, parts.site)
    const state = openHeld(parts, request, head) ?? openRequest(parts, head, { head: request[handling] })
    request[opened] = state
    return state
  }

  async function load(request: AnyRequest, names?: readonly string[]): Promise<OpenRequest> {
    check(names === undefined || Array.isArray(names), 'open', "pass a list of names, such as ['cart']")
    const state = stateOf(request)
    const loading = state.load(names)
    // Most requests come for cookies only, and need not wait.
    if (loading) await loading
    return state
  }

  async function handle(
    request: Request & { [handling]?: Handling },
    handler: (state: ServerBins<D>) => Response | Promise<Response>,
    options: { bins?: ReadonlyArray<BinName<D>> } = {},
  ): Promise<Response> {
    checkKeys('handle', options, ['bins'])
    request[handling] ??= { handlers: 0, isSent: false }
    const turn = request[handling]
    turn.handlers += 1
    turn.isSent = false
    try {
      const state = await load(request, options.bins)
      const response = await handler(state as ServerBins<D>)
      check(typeof response?.status === 'number', 'handle', 'return a Response from the handler')
      if (response.status >= 500) state.discard()
      return await state.save(response)
    } finally {
      turn.handlers -= 1
      turn.isSent = turn.handlers === 0
    }
  }

  function answer(request: Request): Promise<Response> {
    return running.add(answerEndpoint(parts, live, request))
  }

  return {
    ...openUsers(parts),

    open: load as BinsServer<D>['open'],

    handle: (request, handler, options) => running.add(handle(request, handler, options)),

    fetch: answer,

    middleware: (settings) => createMiddleware(load, settings),

    fastify: () => createFastifyPlugin(definitions.path, answer, onEvent),

    async sweep({ limit = 1_000 } = {}) {
      const swept = await Promise.all([...stores.values()].map((store) => store.sweep(clock(), limit)))
      return swept.reduce((sum, count) => sum + count, 0)
    },

    async close() {
      await live.close()
      await running.ended()
      await Promise.all([...sweepers.values()].map((sweeper) => sweeper.close()))
      await Promise.all([...stores.values()].map((store) => store.close?.()))
    },
  }
}
