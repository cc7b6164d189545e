import * as z from 'zod/mini'
import type { Place } from './case.ts'

/** Where a browser can keep bins. */
export const BROWSER_PLACES: Readonly<Record<string, Place>> = {
  'plain cookies': { options: { storage: 'cookie' } },
  'server bins': { options: { storage: 'server', browser: 'write', schema: z.unknown() } },
  'device bins': { options: { storage: 'device' } },
}

/** Where a browser cannot write. */
export const READ_ONLY_PLACES: Readonly<Record<string, Place>> = {
  'signed cookies': { options: { storage: 'cookie', browser: 'read' } },
  'sealed cookies': { options: { storage: 'cookie', browser: 'none' } },
  'server bins to read': { options: { storage: 'server', browser: 'read' } },
  'server bins of the server': { options: { storage: 'server', browser: 'none' } },
}
