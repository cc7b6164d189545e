import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'

/** The bins of the pages in `transport.test.ts`, and of their server. */
export const headerBins = defineBins({
  note: { schema: z.string(), browser: 'write' },
  theme: { schema: z.string(), storage: 'cookie' },
})
