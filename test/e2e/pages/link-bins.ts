import * as z from 'zod/mini'
import { defineBins } from '../../../src/core/definition/define-bins.ts'

/** The bins of `link.ts`, and of its server. */
export const linkBins = defineBins({
  cart: {
    schema: z._default(z.array(z.string()), []),
    browser: 'write',
    merge: (base = [], mine = [], theirs = []) => [
      ...theirs,
      ...mine.filter((item) => !base.includes(item) && !theirs.includes(item)),
    ],
  },
})
