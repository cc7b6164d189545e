import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'

const count = z._default(z.number(), 0)

/** The bins of the pages in `tabs.test.ts` and `sync.test.ts`, and of their server. */
export const tabBins = defineBins({
  count: { schema: count, browser: 'write', merge: (base = 0, mine = 0, theirs = 0) => theirs + mine - base },
  note: { schema: z.string(), browser: 'write' },
  // Each of two tabs has one for itself.
  first: { schema: z.string(), browser: 'write' },
  second: { schema: z.string(), browser: 'write' },
  theme: { schema: z.string(), storage: 'cookie', maxAge: '400d' },
  clicks: { schema: count, storage: 'cookie' },
  draft: { schema: z.string(), storage: 'device' },
  steps: { schema: count, storage: 'device' },
})
