import * as z from 'zod/mini'
import { openBins } from '../../src/client/open-bins.ts'
import { defineBins } from '../../src/core/definition/define-bins.ts'

// The page says how its cookies are scoped.
const options = (globalThis as never as { cookie: object }).cookie
const bins = defineBins(
  { note: { schema: z.string(), browser: 'write' }, theme: { storage: 'cookie' } },
  options,
)
// And whether its server is elsewhere.
const { server = '' } = globalThis as { server?: string }
const send: typeof fetch = (path, init) => fetch(`${server}${path}`, { ...init, credentials: 'include' })
Object.assign(globalThis, { opened: openBins(bins, server === '' ? {} : { fetch: send }) })
