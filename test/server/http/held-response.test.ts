import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NextFunction, Request, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import type { BinsRequest } from '../../../src/server/frameworks/middleware.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import { serveBins } from '../../../src/server/server.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { type Got, type Handler, listen, quietApp, send } from '../../support/sites/express.ts'
import {
  EXPRESS_SCENARIOS,
  NODE_SCENARIOS,
  type Note,
  type Scenario,
} from '../../support/sites/express-scenarios.ts'
import { openSignal, slowStore } from '../../support/sites/requests.ts'

const bins = defineBins({ theme: { storage: 'cookie', default: 'light' }, visits: { default: 0 } })

type Bins = ServerBins<typeof bins>

/** What is done with the bins before the handler runs. */
const VARIANTS: Record<string, (state: Bins) => unknown> = {
  'bins that are opened': () => {},
  'bins that are read': (state) => [state.get('theme'), state.get('visits')],
  'a cookie bin that is set': (state) => state.set('theme', 'dark'),
  'a server bin that is set': (state) => state.set('visits', 1),
  'a server bin that is updated, and one that is set': async (state) => {
    await state.update('visits', (visits) => visits + 1)
    state.set('visits', 5)
  },
}

/** What came of a scenario: for the client, and for the handler. */
interface Outcome {
  readonly got: Got | undefined
  readonly facts: readonly unknown[]
}

/** Makes an app, which is to tell when a response is closed. */
type MakeApp = (scenario: Scenario, prepare: Prepare | undefined, note: Note) => Handler

type Prepare = (request: IncomingMessage, response: ServerResponse) => Promise<void>

const APPS: Record<string, MakeApp> = {
  express({ handle }, prepare, note) {
    const app = quietApp()
    if (prepare) {
      app.use((request, response, next) => {
        prepare(request, response).then(() => next(), next)
      })
    }
    app.use((request, response, next) => handle(request, response, next, note))
    app.use((error: Error, _request: Request, response: Response, next: NextFunction) => {
      note('passed on', 'code' in error ? error.code : error.message)
      if (response.headersSent) next(error)
      else response.status('status' in error ? Number(error.status) : 500).send(error.message)
    })
    return app
  },

  'node:http'({ handle }, prepare, note) {
    return async (request, response) => {
      await prepare?.(request, response)
      // These scenarios use nothing that only express has.
      await handle(request as Request, response as Response, () => {}, note)
    }
  },
}

describe.each(Object.entries(VARIANTS))('a response held for %s', (_, edit) => {
  describe.each(Object.entries(APPS))('on %s', (kind, makeApp) => {
    const scenarios = kind === 'express' ? [...EXPRESS_SCENARIOS, ...onExpress()] : onExpress()

    it.each(scenarios)('is as it is without: $name', async (scenario) => {
      const plain = await play(makeApp, scenario, undefined)
      const server = serveBins(bins, { store: slowStore(memoryStore()) })
      const middleware = server.middleware()
      const withBins = await play(makeApp, scenario, async (request, response) => {
        await new Promise<void>((resolve) => middleware(request, response, () => resolve()))
        // The middleware has just made it one.
        await edit(await (request as BinsRequest<typeof bins>).bins())
      })
      expect(withBins).toEqual(plain)
    })
  })
})

function onExpress(): Scenario[] {
  return NODE_SCENARIOS.map((scenario) => ({
    ...scenario,
    handle: (_, response, __, note) => scenario.handle(response, note),
  }))
}

async function play(makeApp: MakeApp, scenario: Scenario, prepare: Prepare | undefined): Promise<Outcome> {
  const facts: unknown[] = []
  const closed = openSignal()
  const handler = makeApp(scenario, prepare, (...fact) => facts.push(fact))
  const server = await listen((request, response) => {
    response.once('close', () => closed.give())
    // An app is a function, or there would be nothing to test.
    ;(handler as (request: IncomingMessage, response: ServerResponse) => void)(request, response)
  })
  try {
    const got = await send(server, scenario.sent)
    await closed.given
    return { got: got && withoutOurs(got), facts }
  } finally {
    await server.close()
  }
}

/** Leaves out the headers that Breadbin adds, and keeps the foreign cookies. */
function withoutOurs(got: Got): Got {
  const { 'set-cookie': cookies = [], 'cache-control': _, vary: __, ...headers } = got.headers
  const foreign = [cookies].flat().filter((line) => !/^(__Host-)?bb\b/.test(line))
  return { ...got, headers: { ...headers, 'set-cookie': foreign } }
}
