/** Runs the golden vectors in a page: `vectors.test.ts` asks for what does not match. */
import * as codec from '../../../src/core/codec/codec.ts'
import * as cookie from '../../../src/core/cookie/cookie-format.ts'
import { codecMismatches, cookieMismatches } from '../../support/vectors.ts'
import codecVectors from '../../vectors/codec.json' with { type: 'json' }
import cookieVectors from '../../vectors/cookie.json' with { type: 'json' }

declare const window: Window & { mismatches: { codec: string[]; cookie: string[] } }

window.mismatches = {
  codec: codecMismatches(codecVectors, codec),
  cookie: cookieMismatches(cookieVectors, cookie),
}
