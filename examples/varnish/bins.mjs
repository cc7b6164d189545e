import { defineBins } from 'breadbin'
import * as z from 'zod'

export const bins = defineBins({
  region: { schema: z.enum(['en', 'de', 'fr']), storage: 'cookie', default: 'en' },
  cart: { schema: z.array(z.string().max(40)).max(20), default: [] },
})
